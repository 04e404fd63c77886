"""How does a service run without one of its guards? Python loads this file at its start when the folder is on its path.

``CASELOOP_TEST_WITHOUT`` names a module and which of its words are replaced by which others before it is compiled.
"""

import json
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType


class _Changed(SourceFileLoader):
    """Compiles a module from its changed text, never from a cache."""

    def path_stats(self, path: str) -> dict[str, int]:
        raise OSError(path)

    def source_to_code(self, data: bytes, path: str, **others: int) -> CodeType:  # type: ignore[override]  # only bytes come
        text = data.decode()
        for old, new in WORDS:
            if old not in text:
                sys.exit(f"{path} does not say {old!r} any more: change tests/chaos/guards.py")
            text = text.replace(old, new)
        code: CodeType = super().source_to_code(text.encode(), path, **others)
        return code


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name == MODULE else None
        if spec is not None and spec.origin is not None:
            spec.loader = _Changed(name, spec.origin)
        return spec


_given = json.loads(os.environ.get("CASELOOP_TEST_WITHOUT", "{}"))
MODULE: str = _given.get("module", "")
WORDS: list[tuple[str, str]] = [(old, new) for old, new in _given.get("words", [])]
if MODULE:
    sys.meta_path.insert(0, _Finder())
