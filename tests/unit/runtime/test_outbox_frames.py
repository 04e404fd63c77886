"""Do messages come out of an outbox row as they went in, and does each key always have the same bucket?"""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zstandard import ZstdCompressor, ZstdDecompressor

from contracts.router import CaseOpened
from services.runtime.frames import NAMES, PLAIN, VERSION, Frame, pack, unpack
from services.runtime.outbox import BUCKETS, ROW_BYTES_MAX, _portions, bucket_of
from tests.support.examples import example

TOPICS = st.sampled_from(["case.events", "contacts", "channel.outbound"])
FOREIGN = st.from_regex(r"\Ax_[a-z]{1,20}\Z")
HEADERS = st.lists(st.tuples(st.sampled_from(NAMES) | FOREIGN, st.binary(max_size=300)), max_size=20)
FRAMES = st.builds(Frame, TOPICS, st.binary(max_size=300), st.binary(max_size=3000), HEADERS)


def plain(frames: list[Frame]) -> bytes:
    """Return the frames of a row as they are before they are compressed."""
    return ZstdDecompressor().decompress(pack(frames)[1:])


@given(st.lists(FRAMES, max_size=20))
def test_what_goes_in_comes_out_in_order(frames: list[Frame]) -> None:
    assert list(unpack(pack(frames))) == frames


def test_known_headers_cost_three_bytes_and_their_value() -> None:
    bare = len(plain([Frame("contacts", b"k", b"v", [])]))

    assert len(plain([Frame("contacts", b"k", b"v", [("ce_id", b"1234")])])) == bare + 3 + 4


def test_what_every_message_repeats_costs_hardly_more_the_second_time() -> None:
    said = Frame("case.events", b"case", example(CaseOpened).value(), [("ce_source", b"caseloop/router")])

    assert len(pack([said] * 10)) < len(pack([said])) * 1.2


def test_a_row_of_a_release_that_did_not_compress_is_read() -> None:
    frames = [Frame("contacts", b"k", b"v" * 3, [("ce_id", b"1234"), ("x_own", b"5")])] * 2

    assert list(unpack(PLAIN + plain(frames))) == frames


def test_rows_of_another_version_are_refused_and_not_misread() -> None:
    with pytest.raises(ValueError, match="version"):
        unpack(b"\x03" + pack([Frame("contacts", b"k", b"v", [])])[1:])


def test_a_header_that_a_newer_release_has_added_is_refused_and_not_a_crash() -> None:
    row = bytearray(plain([Frame("contacts", b"k", b"v", [(NAMES[-1], b"")])]))
    assert row[9] == len(NAMES) - 1
    row[9] += 1

    for written in (PLAIN + row, VERSION + ZstdCompressor().compress(bytes(row))):
        with pytest.raises(ValueError, match="cannot be read"):
            unpack(written)


ONE = pack([Frame("contacts", b"k", b"v" * 100, [])])


@pytest.mark.parametrize(
    "damage",
    [
        lambda row: row[:-3],
        lambda row: row[:1],
        lambda row: row[:1] + b"x" + row[2:],
        lambda row: row + b"x",
        lambda row: row + row[1:],
        lambda row: row[:6] + b"\x00" + row[7:],  # its frame says that it holds nothing
        lambda row: row[:1] + bytes.fromhex("28b52ffd e4 ffffffff01000000") + row[7:],  # or 8 GiB
        lambda row: row[:-9] + bytes([row[-9] ^ 1]) + row[-8:],
    ],
)
def test_a_damaged_row_is_refused_and_not_a_crash(damage: Callable[[bytes], bytes]) -> None:
    assert len(unpack(ONE)) == 1
    with pytest.raises(ValueError, match="cannot be read"):
        unpack(damage(ONE))


def test_frames_that_end_too_early_are_refused_and_not_a_crash() -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        unpack(PLAIN + plain([Frame("contacts", b"k", b"v", [])]) + b"x")


def test_the_names_of_headers_keep_their_places() -> None:
    assert NAMES[:9] == (
        "ce_specversion",
        "ce_id",
        "ce_source",
        "ce_type",
        "ce_time",
        "ce_subject",
        "ce_dataschema",
        "content-type",
        "traceparent",
    )


def test_buckets_are_the_same_for_ever() -> None:
    assert [bucket_of(key) for key in (b"", b"a", b"case-1", b"case-2")] == [0, 3, 6, 12]
    assert {bucket_of(str(number).encode()) for number in range(1000)} == set(range(BUCKETS))


def test_a_row_is_cut_before_it_grows_large_and_keeps_the_order() -> None:
    frames = [Frame("contacts", b"k", bytes([number]) * 1_000_000, []) for number in range(10)]

    portions = _portions(frames)

    assert [frame for portion in portions for frame in portion] == frames
    assert all(sum(len(frame.value) for frame in portion) <= ROW_BYTES_MAX for portion in portions)
    assert len(portions) == 3
