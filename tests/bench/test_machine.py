"""Does a result say on which machine and with which servers it was measured?"""

from deploy.local import KafkaServer, PostgresServer
from tests.bench.machine import Share, machine, servers


def test_the_machine_says_what_a_figure_depends_on() -> None:
    said = machine()

    assert {"cores", "processor", "memory_gib", "kernel", "python", "commit", "load"} <= said.keys()
    assert said["processor"]


def test_the_time_of_the_processors_is_told_apart() -> None:
    assert Share().parts().keys() == {"steal_percent", "idle_percent", "others_percent"}


async def test_the_servers_say_their_versions_and_what_was_chosen_for_them_but_no_place_of_this_machine(
    private_postgres: PostgresServer, private_kafka: KafkaServer
) -> None:
    said = await servers(private_kafka.bootstrap, private_postgres.dsn)

    assert said["postgres"].startswith("18.")
    assert said["fsync"] == said["postgres_settings"]["synchronous_commit"] == "on"
    assert said["postgres_settings"]["shared_buffers"] == "256MB"
    assert {"broker", "java"} <= said.keys()
    assert said["broker_settings"]["message.max.bytes"] == "2097152"
    places = (private_kafka.bootstrap, str(private_kafka.data_dir), str(private_postgres.socket_dir))
    told = f"{said['postgres_settings']} {said['broker_settings']}"
    assert not [place for place in places if place in told]
