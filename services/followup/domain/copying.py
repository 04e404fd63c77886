"""How is one field of a frozen value changed without paying for all the others?

``dataclasses.replace`` runs ``__init__`` with every field by name; of what followup does with an event that was the
largest single part. Here the slots are copied as they are. It is right only for plain frozen dataclasses with slots,
which is what the domain is made of: nothing is checked or computed when one is made.
"""

from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import Any, TypeVar

T = TypeVar("T")
_Copier = tuple[Callable[[object], tuple[object, ...]], tuple[Callable[[object, object], None], ...]]
_SLOTS: dict[type[Any], _Copier] = {}
_make: Callable[[type[Any]], Any] = object.__new__
_set = object.__setattr__


def replaced(value: T, /, **changes: object) -> T:
    """Return the value with these fields changed; ``AttributeError`` for a field it does not have."""
    kind = type(value)
    get, puts = _SLOTS.get(kind) or _learnt(kind)
    copy: T = _make(kind)
    for put, each in zip(puts, get(value), strict=True):
        put(copy, each)
    for name, each in changes.items():
        _set(copy, name, each)
    return copy


def _learnt(kind: type[Any]) -> _Copier:
    names = [field.name for field in fields(kind)]
    copier = _SLOTS[kind] = attrgetter(*names), tuple(getattr(kind, name).__set__ for name in names)
    return copier
