"""Cut one operator of the corpus out of its module, so that a tool sees it and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path


def extract(package: Path, module: str, name: str) -> str:
    """Return source that defines one name of a module, with all it uses from the same package.

    Definitions keep their order, their words and their comments. What the module takes from other
    modules of the package is written out in place of the import.

    Args:
        package: Folder of the package.
        module: Name of a module in it.
        name: A function, class or variable at the top of that module.

    Raises:
        KeyError: the module has no such name.
    """
    text = (package / f"{module}.py").read_text()
    lines, body = text.splitlines(), ast.parse(text).body
    defined = {key: node for node in body for key in _names(node)}
    if name not in defined:
        raise KeyError(f"{module}.py defines no {name!r}; it has {', '.join(defined)}")
    used = _closure(body, defined, name)
    parts: list[str] = []
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            parts += _import(package, node, used)
        elif any(key in used for key in _names(node)):
            parts.append("\n" + _source(lines, node))
    return "\n".join(parts) + "\n"


def _names(node: ast.stmt) -> Iterator[str]:
    """Yield what a statement at the top of a module defines; imports define nothing of its own."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id


def _mentioned(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _closure(body: list[ast.stmt], defined: dict[str, ast.stmt], name: str) -> set[str]:
    """Return every name that is used, however far away, by the one asked for."""
    found: set[str] = set()
    left = [name]
    while left:
        each = left.pop()
        if each not in found:
            found.add(each)
            writers = [node for node in body if each in _names(node)]
            for node in writers or ([defined[each]] if each in defined else []):
                left += _mentioned(node)
    return found


def _import(package: Path, node: ast.Import | ast.ImportFrom, used: set[str]) -> list[str]:
    """Return an import cut down to what is used, or the definitions it brings."""
    kept = [a for a in node.names if (a.asname or a.name).partition(".")[0] in used]
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        return [ast.unparse(node)]
    if not kept:
        return []
    own, _, module = (getattr(node, "module", None) or "").partition(".")
    if own == package.name:
        return [extract(package, module, alias.name) for alias in kept]
    node.names = kept
    return [ast.unparse(node)]


def _source(lines: list[str], node: ast.stmt) -> str:
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(each.lineno for each in decorators)])
    while first > 1 and lines[first - 2].startswith("#"):
        first -= 1
    return "\n".join(lines[first - 1 : node.end_lineno])
