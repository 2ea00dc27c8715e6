"""Characters that a reviewer cannot see, and files whose content is not text at all."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from dougong_ci.intake.findings import Finding, scan

_JOINERS = "\u200c\u200d"
"""Format characters that honest text has: they join letters and pictures."""
_BINARY = {
    b"\x7fELF": "a compiled program",
    b"MZ": "a compiled program",
    b"\xcf\xfa\xed\xfe": "a compiled program",
    b"PK\x03\x04": "an archive",
    b"\x1f\x8b": "an archive",
    b"\x80\x02": "a pickle",
    b"\x80\x03": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
}
_PICTURES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8")


def words_of(data: bytes) -> str | None:
    """Return a file as text; None where it is something else."""
    if b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def check_bytes(path: str, data: bytes) -> Iterator[Finding]:
    """Yield what is wrong with a file that nobody can review."""
    if data.startswith(_PICTURES):
        return
    for magic, what in _BINARY.items():
        if data.startswith(magic):
            yield scan(
                "binary", f"{path} is {what}; submit its source, weights as safetensors", path
            )
            return


def check_text(path: str, text: str) -> Iterator[Finding]:
    """Yield each line of a text that holds characters which are not seen."""
    for number, line in enumerate(text.split("\n"), start=1):
        hidden = sorted({char for char in line if _is_hidden(char)})
        if hidden:
            names = ", ".join(f"U+{ord(char):04X} {unicodedata.name(char, '')}" for char in hidden)
            yield scan("hidden", f"characters that nobody sees: {names.strip()}", path, number)


def _is_hidden(char: str) -> bool:
    if char in "\t\r\f" or char in _JOINERS:
        return False
    category = unicodedata.category(char)
    # Controls, format characters (bidirectional ones among them), private use, and the Hangul
    # fillers and Braille blank that are drawn as nothing though their category is a letter's.
    return category in ("Cc", "Cf", "Co", "Zl", "Zp") or char in "\u3164\uffa0\u115f\u1160\u2800"
