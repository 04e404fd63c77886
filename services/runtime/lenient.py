"""What if the name of a header is not UTF-8?

aiokafka 0.14 decodes header names strictly while it unpacks a fetch. One record with such a name makes every poll of
its partition fail, for ever and before we see it: anybody who may write to a topic could block it. Here the batch that
holds such a record is read again by the library's slower parser, with names that keep their bytes.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.legacy_records import LegacyRecordBatch
from aiokafka.record.memory_records import _MemoryRecordsPy

MAGIC_OF_HEADERS = 2
"""Record batches have headers since this version of the format."""


class _Bytes(bytearray):
    """Bytes whose parts decode without ever failing, and encode back to the same bytes."""

    def __getitem__(self, place: Any) -> Any:  # noqa: ANN401 - as bytearray has it
        found = super().__getitem__(place)
        return _Bytes(found) if isinstance(place, slice) else found

    def decode(self, *_: object) -> str:
        return bytes(self).decode("utf-8", "surrogateescape")


class _LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]  # aiokafka has no type hints
    """One batch, read slowly."""

    def __iter__(self) -> "_LenientBatch":
        self._maybe_uncompress()
        self._buffer: bytearray = _Bytes(self._buffer)
        return self


class _Batch:
    """One batch, read fast as long as that goes."""

    def __init__(self, bytes_of_batch: memoryview) -> None:
        self._bytes = bytes_of_batch
        self._fast = DefaultRecordBatch(bytes_of_batch)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the fast batch knows
        return getattr(self._fast, name)

    def __iter__(self) -> Iterator[Any]:
        given = 0
        try:
            for record in self._fast:
                yield record
                given += 1
        except UnicodeDecodeError:
            yield from islice(_LenientBatch(self._bytes), given, None)


class _Records(_MemoryRecordsPy):  # type: ignore[misc]  # aiokafka has no type hints
    """The batches of one fetch."""

    def next_batch(self, *_: object) -> Any:  # noqa: ANN401 - a batch of either format
        bytes_of_batch = self._next_slice
        if bytes_of_batch is None:
            return None
        self._cache_next()
        magic = bytes_of_batch[self.MAGIC_OFFSET]
        return _Batch(bytes_of_batch) if magic >= MAGIC_OF_HEADERS else LegacyRecordBatch(bytes_of_batch, magic)


def install() -> None:
    """Let every consumer of this process read leniently."""
    fetcher.MemoryRecords = _Records
