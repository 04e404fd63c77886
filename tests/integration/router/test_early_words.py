"""What if a customer's words come before the opening of the case that they belong to?"""

from services.router.bell import Bell
from services.router.handlers.messages import handler
from services.runtime.work import Work
from tests.integration.router.conftest import Router, names
from tests.unit.router.given import case_id_of, proposed, received, words


async def test_words_before_the_opening_of_their_case_in_one_batch_come_behind_it(router: Router) -> None:
    early = words("early", joins=(case_id_of(),))
    assert names(await router.tell(early, words(demands=(proposed(),)))) == ["opened", "contact_attached"]


async def test_words_whose_case_is_not_here_at_all_wait_alone_with_what_stands_behind_them(router: Router) -> None:
    batch = [
        received(words("early", joins=(case_id_of("nowhere"),)), 0),
        received(words("early", demands=(proposed("second"),)), 1),
        received(words(demands=(proposed(),)), 2),
    ]
    async with router.pool.acquire() as connection, connection.transaction():
        work = Work(connection, batch, router.now)
        said = await handler(router.policy, Bell())(work)
    assert names(said) == ["opened"]
    assert set(work.postponed) == {id(each) for each in batch[:2]}
