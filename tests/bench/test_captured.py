"""Does a measurement find the ends of topics, however many partitions they have?"""

from contracts.topics import TOPICS
from deploy.local import KafkaServer
from services.runtime import kafka
from tests.bench.captured import ends
from tests.support.floor import settings_for


async def test_the_brokers_say_how_many_partitions_there_are(private_kafka: KafkaServer) -> None:
    settings = settings_for("postgresql://nobody", private_kafka.bootstrap, topic_prefix="", topic_partitions=4)
    await kafka.create_topics(settings)

    assert len(await ends(settings)) == 4 * len(TOPICS)
