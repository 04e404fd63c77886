"""Is a text that two readers may understand differently refused, however quickly it is read?"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.json_text import JsonTextError, read_strictly

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)


@given(DOCUMENTS, st.booleans(), st.sampled_from([(",", ":"), (", ", ": ")]))
def test_a_document_is_what_the_library_reads(document: Any, ascii_only: bool, separators: tuple[str, str]) -> None:  # noqa: ANN401 - any JSON
    text = json.dumps(document, ensure_ascii=ascii_only, separators=separators)
    try:
        value = text.encode()
    except UnicodeEncodeError:  # a lone surrogate, which only an escape can carry
        value = json.dumps(document, separators=separators).encode()

    found = read_strictly(value)

    assert repr(found) == repr(json.loads(value))


@pytest.mark.parametrize(
    "value",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":1}',
        b'{"a":{"b":[{"c":1,"c":1}]}}',
        b'{"a":NaN}',
        b"[Infinity]",
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b"1" * 5000,
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":1}}',
        b"",
    ],
    ids=lambda value: repr(value[:24]),
)
def test_what_is_ambiguous_is_refused(value: bytes) -> None:
    with pytest.raises(JsonTextError):
        read_strictly(value)


@pytest.mark.parametrize("depth", [200, 254, 255, 300, 900])
def test_no_depth_is_too_much_for_the_quick_way_alone(depth: int) -> None:
    value = b"[" * depth + b"]" * depth

    assert read_strictly(value) == json.loads(value)
