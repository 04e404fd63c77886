"""How does a service read only a part of a message that another speaks, and still be sure of what it reads?"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, create_model

Model = TypeVar("Model", bound=BaseModel)
Parts = Mapping[Any, type[BaseModel]]
"""Classes of fields to the parts that are read of them."""
NO_PARTS: Parts = MappingProxyType({})


def part_of(whole: type[Model], names: Iterable[str], inner: Parts = NO_PARTS) -> type[Model]:
    """Return the class without its other fields, and with parts of its parts; what is read is checked as in the whole.

    It is a subclass, so that decisions are made about the public class. A field that is declared again as a class
    variable is none: the parser passes over it, which halves the time of reading, and whoever asks for it gets an
    ``AttributeError``.
    """
    unread: dict[str, Any] = dict.fromkeys(whole.model_fields.keys() - set(names), ClassVar[Any])
    parts: dict[str, Any] = {
        name: inner[field.annotation]
        for name, field in whole.model_fields.items()
        if name not in unread and field.annotation in inner
    }
    part: type[Model] = create_model(whole.__name__, __base__=whole, **unread, **parts)
    return part
