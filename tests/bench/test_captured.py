"""Does a measurement find the ends of topics, however many partitions they have?"""

from contextlib import suppress

from contracts.topics import TOPICS
from deploy.local import KafkaServer
from services.cli.failures import CommandError
from services.runtime import kafka
from tests.bench.captured import ends
from tests.support.floor import settings_for, until


async def test_the_brokers_say_how_many_partitions_there_are(private_kafka: KafkaServer) -> None:
    settings = settings_for("postgresql://nobody", private_kafka.bootstrap, topic_prefix="", topic_partitions=4)
    await kafka.create_topics(settings)
    found = 0

    async def all_lead() -> bool:
        nonlocal found
        with suppress(CommandError):  # a new broker on a busy machine may be seconds behind its controller
            found = len(await ends(settings))
        return found > 0

    await until(all_lead)
    assert found == 4 * len(TOPICS)
