"""Print the source tree, a phrase a file from its docstring; `--write` puts it in README.md."""

from __future__ import annotations

import argparse
import ast
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- tree:begin -->", "<!-- tree:end -->"
SHOWN = ("core", "plugins", "kernels", "registry", "ci", "benchmarks", "deploy", "docs", "tests")
WHOLE_FOLDERS = {"migrations", "templates", "static", "screenshots", "schemas", "candidates"}
FOLDER_PHRASES = {
    "core": "the small core, package `dougong`",
    "plugins": "first-party operators, a distribution of its own",
    "kernels": "attention for the CPU in C++, a distribution of its own",
    "registry": "the Django hub, package `dougong_registry`",
    "ci": "the judge and its workers, package `dougong_ci`",
    "benchmarks": "measurements: paired, with intervals, as tables and `--json`",
    "deploy": "a hub and its judges as containers, systemd units and Kubernetes manifests",
    "docs": "pages, screenshots, the verdict's schema",
    "tests": "mirrors the sources; `tests/contracts/` holds the rules of the house",
    "migrations": "one set for SQLite and PostgreSQL",
    "templates": "what the pages, or a new plugin, are made from",
    "static": "one stylesheet, a little script, the mark",
    "screenshots": "every page at 1280 and 390 pixels",
    "schemas": "JSON Schema of the verdict",
    "candidates": "small cheats and honest controls that the judge is tried on",
}


def tracked() -> list[Path]:
    """Files that git knows or would add, relative to the root, in order."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *SHOWN],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return sorted(Path(line) for line in listed.stdout.splitlines() if (ROOT / line).exists())


def phrase(path: Path) -> str:
    """First docstring line of a module, without its full stop; empty for anything else."""
    if path.suffix != ".py":
        return ""
    docstring = ast.get_docstring(ast.parse((ROOT / path).read_text())) or ""
    return docstring.partition("\n")[0].rstrip(".")


def render() -> str:
    """The tree as text: every source module with its phrase, other folders in one line."""
    lines: list[str] = []
    seen: set[Path] = set()
    for path in tracked():
        for depth, parent in enumerate(reversed(path.parents[:-1])):
            if parent in seen:
                continue
            seen.add(parent)
            init = parent / "__init__.py"
            told = FOLDER_PHRASES.get(parent.name) or (
                phrase(init) if (ROOT / init).exists() else ""
            )
            if not any(part in WHOLE_FOLDERS for part in parent.parts[:-1]):
                lines.append(_line(depth, f"{parent.name}/", told))
        inside_whole = any(part in WHOLE_FOLDERS for part in path.parts[:-1])
        if inside_whole or path.name in ("__init__.py", "py.typed", "conftest.py"):
            continue
        if path.parts[0] == "tests":
            continue
        lines.append(_line(len(path.parts) - 1, path.name, phrase(path)))
    return "\n".join(lines)


def _line(depth: int, name: str, told: str) -> str:
    left = "  " * depth + name
    return f"{left:<34} {told}".rstrip()


def main() -> None:
    """Print the tree, or write it between the markers of README.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="replace the tree in README.md")
    if not parser.parse_args().write:
        print(render())
        return
    readme = ROOT / "README.md"
    head, _, rest = readme.read_text().partition(BEGIN)
    _, _, tail = rest.partition(END)
    readme.write_text(f"{head}{BEGIN}\n```text\n{render()}\n```\n{END}{tail}")


if __name__ == "__main__":
    main()
