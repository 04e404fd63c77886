"""How does an idle consumer wait without sleeping past what arrives?

After an empty poll FastStream (0.7) sleeps as long as it polled. A record that arrives meanwhile lies there: 5 ms on
average and 20 ms at worst with polls of 20 ms, at every hop of a case. So here no poll comes back empty.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

Fetched = Mapping[TopicPartition, Sequence[ConsumerRecord]]


def install(consumer: AIOKafkaConsumer) -> None:
    """Let this consumer's polls last until there is something; it is stopped by cancelling whoever polls."""
    poll = consumer.getmany

    async def getmany(*partitions: TopicPartition, **options: Any) -> Fetched:  # noqa: ANN401 - handed through
        fetched: Fetched = {}
        while not fetched:
            fetched = await poll(*partitions, **options)
        return fetched

    consumer.getmany = getmany
