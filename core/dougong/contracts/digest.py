"""The digest that makes a released contract immutable.

sha256 over the source of the module that defines the contract and of every `dougong.contracts`
module it imports, followed to the end, line ends as LF; the rule of comparison comes in with the
tolerance that every contract sets. The types in `definition.py` and the index in `__init__.py` are
plumbing and stay out. `python -m dougong.contracts.digest` prints the table
that `tests/core/contracts/released.toml` holds.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from pathlib import Path

_PACKAGE = "dougong.contracts"
_PLUMBING = {_PACKAGE, f"{_PACKAGE}.definition"}
_ROOT = Path(__file__).parent


def digest_of(module: str) -> str:
    """Return the hex sha256 of the source that defines a contract, importing none of it.

    Args:
        module: Dotted name of the defining module, inside `dougong.contracts`.
    """
    total = hashlib.sha256()
    for name in defining_modules(module):
        text = _source(name).read_bytes().replace(b"\r\n", b"\n")
        total.update(f"{name}\n{len(text)}\n".encode())
        total.update(text)
    return total.hexdigest()


def defining_modules(module: str) -> tuple[str, ...]:
    """Return the defining module and every contracts module it reaches by import, sorted."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found and name not in _PLUMBING:
            found.add(name)
            waiting.extend(_imported(name))
    return tuple(sorted(found))


def _imported(module: str) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(_source(module).read_bytes())):
        if isinstance(node, ast.Import):
            names.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names.append(node.module)
            names.extend(f"{node.module}.{alias.name}" for alias in node.names)
    return [n for n in names if n.startswith(f"{_PACKAGE}.") and _exists(n)]


def _source(module: str) -> Path:
    path = _ROOT.joinpath(*module.removeprefix(_PACKAGE).strip(".").split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _exists(module: str) -> bool:
    return _source(module).is_file()


def main() -> int:
    """Print the table of digests as TOML."""
    from dougong.contracts import digests

    lines = [f'"{id}" = "{digest}"' for id, digest in digests().items()]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
