"""A process that settles records until it is killed in the middle of a batch: ``python -m tests.support.tiny_victim``.

Arguments: DSN, brokers, prefix, schema, and the number of the message at which it stands still. It writes its effects,
says ``hanging`` on standard output and never commits.
"""

import asyncio
import sys
from collections.abc import Sequence

from pydantic import SecretStr

from services.runtime.database import open_pool
from services.runtime.settings import Settings
from services.runtime.work import Outgoing, Work
from tests.support.tiny import Notes, a_consumer, consuming, number_of


async def main(dsn: str, brokers: str, prefix: str, schema: str, number: str) -> None:
    """Read until the message with this number comes, then hang inside the transaction."""
    settings = Settings(
        kafka_bootstrap=brokers,
        postgres_dsn=SecretStr(dsn),
        topic_prefix=prefix,
        batch_records_max=20,
    )

    stand_still = int(number)

    async def handler(work: Work) -> Sequence[Outgoing]:
        said = await Notes()(work)
        if any(number_of(received.message) == stand_still for received in work.received):
            sys.stdout.write("hanging\n")
            sys.stdout.flush()
            await asyncio.Event().wait()
        return said

    async with open_pool(settings, schema) as pool, consuming(settings, a_consumer(pool, handler), "case.events"):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
