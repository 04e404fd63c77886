"""Does a key go to the partition that every other client of Kafka would choose?"""

from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.partitioning import partition_of


@given(st.binary(max_size=300), st.integers(1, 1000))
def test_a_partition_is_that_of_the_default_partitioner(key: bytes, partitions: int) -> None:
    assert partition_of(key, partitions) == (murmur2(key) & 0x7FFFFFFF) % partitions


def test_it_is_known_by_examples_of_the_java_client() -> None:
    assert [partition_of(key, 2**31) for key in (b"21", b"foobar", b"abc")] == [
        -973932308 & 0x7FFFFFFF,
        -790332482 & 0x7FFFFFFF,
        479470107 & 0x7FFFFFFF,
    ]
