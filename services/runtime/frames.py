"""How do many messages stand in one outbox row?

A row holds one version byte and then, compressed (ADR 0017), frames, one behind the other. A frame is a fixed part
(lengths), three bytes for each header (which known name, how long its value), then the bytes themselves: topic, key,
value, header values. The names of our own headers cost no space; a header with another name carries it in front of its
value.
"""

import struct
from collections.abc import Iterable, Sequence
from struct import Struct
from typing import NamedTuple

from zstandard import ZstdCompressor, ZstdDecompressor, ZstdError

VERSION = b"\x02"
PLAIN = b"\x01"
"""The version of rows whose frames are not compressed; an older release may have left some."""
LEVEL = 1
"""Headers and names repeat in every message of a row: a higher level takes longer and finds little more."""
NAMES = (
    "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject", "ce_dataschema", "content-type",
    "traceparent", "tracestate",
)  # fmt: skip
"""Known header names; only ever add at the end, rows of an older version may still be waiting."""
_INDEX = {name: index for index, name in enumerate(NAMES)}
_FOREIGN = 255
_FIXED = Struct(">HHIB")
_HEADERS = tuple(Struct(">" + "BH" * count) for count in range(64))
_COMPRESSOR, _DECOMPRESSOR = ZstdCompressor(level=LEVEL, write_checksum=True), ZstdDecompressor()
"""Of the event loop's thread: neither may be used by two at once."""
FRAME_BYTES = 1024
"""What a frame takes in memory besides its value: nine headers, their names and their places."""


class Frame(NamedTuple):
    """A record as it will be published; the topic is still without a deployment's prefix."""

    topic: str
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]


def pack(frames: Iterable[Frame]) -> bytes:
    """Return the bytes of one outbox row."""
    parts: list[bytes] = []
    for topic, key, value, headers in frames:
        lengths: list[int] = []
        values: list[bytes] = []
        for name, content in headers:
            index = _INDEX.get(name, _FOREIGN)
            carried = content if index != _FOREIGN else name.encode("ascii") + b":" + content
            lengths += (index, len(carried))
            values.append(carried)
        name_of_topic = topic.encode("ascii")
        parts += (
            _FIXED.pack(len(name_of_topic), len(key), len(value), len(values)),
            _HEADERS[len(values)].pack(*lengths),
            name_of_topic,
            key,
            value,
            *values,
        )
    return VERSION + _COMPRESSOR.compress(b"".join(parts))


def size_of(frames: Iterable[Frame]) -> int:
    """Return how many bytes of memory these take, near enough to bound it."""
    return sum([len(frame.value) + FRAME_BYTES for frame in frames])


def unpack(row: bytes) -> list[Frame]:
    """Return the frames of one outbox row in the order in which they were said.

    ``ValueError`` when this release cannot read the row: a newer one wrote it, or it is damaged.
    """
    if row[:1] not in {VERSION, PLAIN}:
        message = f"its version is {row[:1]!r}, and this release reads up to {VERSION!r}"
        raise ValueError(message)
    try:
        return _frames(row[1:] if row[:1] == PLAIN else _plain(row[1:]))
    except (IndexError, MemoryError, ZstdError, struct.error) as damage:  # an unknown header, too: a newer release's
        message = f"it cannot be read by this release ({damage})"
        raise ValueError(message) from None


def _plain(compressed: bytes) -> bytes:
    """Return the bytes that were compressed, checked against their sum; a short cut would pass over what follows."""
    reader = _DECOMPRESSOR.decompressobj()
    plain = reader.decompress(compressed)
    if not reader.eof or reader.unused_data:
        raise ZstdError("it is cut off, or something stands behind it")
    return plain


def _frames(row: bytes) -> list[Frame]:
    found: list[Frame] = []
    position = 0
    while position < len(row):
        topic_size, key_size, value_size, count = _FIXED.unpack_from(row, position)
        lengths = _HEADERS[count].unpack_from(row, position + _FIXED.size)
        start = position + _FIXED.size + 3 * count
        key_at = start + topic_size
        value_at = key_at + key_size
        position = value_at + value_size
        headers = []
        for at in range(0, 2 * count, 2):
            index, size = lengths[at], lengths[at + 1]
            headers.append(_header(index, row[position : position + size]))
            position += size
        topic, key, value = (
            row[start:key_at].decode("ascii"),
            row[key_at:value_at],
            row[value_at : value_at + value_size],
        )
        found.append(Frame(topic, key, value, headers))
    return found


def _header(index: int, carried: bytes) -> tuple[str, bytes]:
    if index != _FOREIGN:
        return NAMES[index], carried
    name, _, value = carried.partition(b":")
    return name.decode("ascii"), value
