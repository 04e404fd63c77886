"""Which files are ours, and what do they say?"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("contracts", "services", "deploy")


@dataclass(frozen=True, eq=False)
class Source:
    """One Python file of ours."""

    path: str
    text: str
    tree: ast.Module

    def calls(self) -> Iterator[ast.Call]:
        """Every call in the file."""
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.Call))

    @cached_property
    def names(self) -> frozenset[tuple[int, str]]:
        """Every dotted name that is used or imported, with its line; imported ones as they are called at home."""
        return frozenset(self._names())

    @cached_property
    def imports(self) -> frozenset[str]:
        """Every module that is imported, by its full name."""
        whole = {alias.name for node in ast.walk(self.tree) if isinstance(node, ast.Import) for alias in node.names}
        parts = {node.module or "" for node in ast.walk(self.tree) if isinstance(node, ast.ImportFrom)}
        return frozenset(whole | parts)

    def _names(self) -> Iterator[tuple[int, str]]:
        homes = dict(self._imported())
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute | ast.Name):
                first, dot, rest = dotted(node).partition(".")
                yield node.lineno, homes.get(first, first) + dot + rest
            elif isinstance(node, ast.Import | ast.ImportFrom):
                for alias in node.names:
                    yield node.lineno, homes[alias.asname or alias.name]

    def _imported(self) -> Iterator[tuple[str, str]]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    yield alias.asname or alias.name, f"{node.module or ''}.{alias.name}".lstrip(".")
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    yield alias.asname or alias.name, alias.name


def dotted(node: ast.expr) -> str:
    """Say ``a.b.c`` of a chain of names; what is no such chain starts with a question mark."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def sources(*folders: str) -> tuple[Source, ...]:
    """Every Python file below these folders of the project."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return tuple(_read(path) for path in paths)


@cache
def _read(path: Path) -> Source:
    text = path.read_text(encoding="utf-8")
    return Source(path.relative_to(ROOT).as_posix(), text, ast.parse(text))
