"""How often does intake ask PostgreSQL? A customer who writes alone waits for every one of these questions."""

from typing import Any

from contracts.message import Message
from contracts.router import CaseResolved
from services.runtime.work import Work
from tests.integration.intake.conftest import Desk
from tests.integration.intake.saying import PHONE, mail, text
from tests.integration.intake.test_journal import event, opened


async def asked(desk: Desk, *messages: Message) -> int:
    """Handle a batch and return how many statements it took, the driver's own questions about types left out."""
    statements: list[Any] = []
    async with desk.pool.acquire() as connection, connection.transaction():
        with connection.query_logger(statements.append):
            await desk.handler(Work(connection, [desk.envelope(message) for message in messages], desk.now))
    return sum("typeinfo_tree" not in each.query and "'jit'" not in each.query for each in statements)


async def test_a_message_takes_one_question_and_one_answer(desk: Desk) -> None:
    assert await asked(desk, text("耳机没声音了", PHONE)) == 2
    assert await asked(desk, text("还有，发票怎么开", PHONE), text("你好", conversation="b")) == 2


async def test_a_mail_takes_one_more_of_each(desk: Desk) -> None:
    assert await asked(desk, mail("Broken kettle", "The kettle leaks.", "1@example.com")) == 4


async def test_an_event_of_a_case_takes_one(desk: Desk) -> None:
    case = await opened(desk)
    assert await asked(desk, event(desk, CaseResolved, case, 4, "solved", resolution="换新", cycle=1)) == 1
