"""Which records did not end well, what is in them, and what shall become of them?"""

import getpass
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from cyclopts import Parameter

from services.cli.connection import HERE, SERVICES, Where, find
from services.cli.failures import CommandError, bad_input
from services.cli.lot_filter import EVERYTHING, Filter
from services.cli.masking import MASK
from services.cli.output import console, local, print_json, table
from services.cli.parked_record import action_of, content_of, item_of
from services.cli.rendering import plain, shortened
from services.cli.schemas import schema
from services.runtime import parking_lot
from services.runtime.clock import SystemClock
from services.runtime.database import Connection
from services.runtime.parking_lot import OPEN, Wanted

Done = Literal["retried", "discarded"]
PAGE = 500
"""Records of one transaction when many are retried or discarded at once."""
_ALL = (*OPEN, "retried", "no_effect", "discarded")
_NO_EFFECT = (
    "it was tried again and changed nothing: its service had taken it, or something later, or does not know the case"
)


async def list_(
    *, filter_: Filter = EVERYTHING, all_: bool = False, limit: int = 1000, json: bool = False, where: Where = HERE
) -> None:
    """List the parking lot of all services, oldest first.

    Parameters
    ----------
    filter_
        Which records are meant.
    all_
        Also what was retried, with or without effect, or discarded.
    limit
        At most so many of each service.
    json
        Print one JSON document.
    """
    dsn, now, found = find(where).postgres, SystemClock().now(), []
    wanted = filter_.wanted(now, _ALL if all_ else OPEN)
    for name in filter_.services():
        async with schema(dsn, name) as connection:
            found += [item_of(name, each) for each in await parking_lot.parked(connection, wanted, limit)]
    if json:
        print_json({"parked": found})
        return
    lines = table("id", "status", "reason", "topic", "place", "parked", "tries", "detail")
    for item in found:
        place = f"{item['partition']}@{item['offset']}"
        at = local(item["parked_at"], now)
        detail = plain(shortened(item["detail"]))
        lines.add_row(
            item["id"], item["status"], item["reason"], item["topic"], place, at, str(item["attempt"]), detail
        )
    console().print(lines if found else "nothing is parked")


async def show(id_: str, /, *, personal: bool = False, json: bool = False, where: Where = HERE) -> None:
    """Show one parked record, and what people did with it.

    Parameters
    ----------
    id_
        As `caseloop parked list` shows it, for example intake:17.
    personal
        Show every byte, also what may be personal; who looked and when is kept in the audit.
    json
        Print one JSON document.
    """
    service, number = _named(id_)
    async with schema(find(where).postgres, service) as connection:
        found = await parking_lot.parked_record(connection, number)
        if found is None:
            raise CommandError(f"nothing is parked as {id_}; `caseloop parked list --all` shows what is")
        if personal:
            await parking_lot.reveal(connection, number, getpass.getuser(), "parked show", SystemClock().now())
        acted = await parking_lot.actions(connection, number)
    item = {
        **item_of(service, found),
        **content_of(found, personal=personal),
        "actions": [action_of(each) for each in acted],
    }
    if json:
        print_json(item)
        return
    out = console()
    for name, value in item.items():
        shown = value if isinstance(value, str | int) else "" if value is None else str(value)
        out.print(f"{name:<16} {shown}", markup=False)
    if found.status == "no_effect":
        out.print(f"\n{_NO_EFFECT}")
    if not personal:
        out.print(f"\n{MASK} stands for what may be personal; --personal shows it, and that is kept", style="dim")


async def retry(
    *ids: str,
    filter_: Filter = EVERYTHING,
    reason: str = "asked for by a person",
    yes: Annotated[bool, Parameter(negative=())] = False,
    json: bool = False,
    where: Where = HERE,
) -> None:
    """Try parked records again, at once; a retry passes the duplicate guard, and order per key holds.

    Parameters
    ----------
    ids
        As `caseloop parked list` shows them, for example intake:17; or say by options which are meant.
    filter_
        Which records are meant, instead of ids.
    reason
        Kept in the audit.
    yes
        Do not ask before many are retried.
    json
        Print one JSON document.
    """
    await _act("retried", ids, filter_, reason, where, yes=yes, as_json=json)


async def discard(
    *ids: str,
    reason: str,
    filter_: Filter = EVERYTHING,
    yes: Annotated[bool, Parameter(negative=())] = False,
    json: bool = False,
    where: Where = HERE,
) -> None:
    """Give parked records up: they shall have no effect. Who, when and why is kept in the audit.

    Parameters
    ----------
    ids
        As `caseloop parked list` shows them, for example intake:17; or say by options which are meant.
    reason
        Why; required.
    filter_
        Which records are meant, instead of ids.
    yes
        Do not ask before many are discarded.
    json
        Print one JSON document.
    """
    if not reason.strip():
        raise bad_input("--reason: say why; it is kept in the audit")
    await _act("discarded", ids, filter_, reason, where, yes=yes, as_json=json)


async def _act(
    done: Done, ids: tuple[str, ...], filter_: Filter, reason: str, where: Where, *, yes: bool, as_json: bool
) -> None:
    if bool(ids) == (filter_ != EVERYTHING):
        raise bad_input("name parked records, for example intake:17, or say which by --code, --topic and so on")
    dsn, now = find(where).postgres, SystemClock().now()
    if ids:
        acted, missing = await _act_on(done, dsn, ids, reason, now)
    else:
        wanted = filter_.wanted(now, OPEN)
        await _confirm(done, dsn, filter_, wanted, yes=yes)
        acted = [each for name in filter_.services() for each in await _act_all(done, dsn, name, wanted, reason)]
        missing = []
    if as_json:
        print_json({done: acted, "not_found": missing})
    elif acted or not missing:
        console().print(f"{done}: {', '.join(acted) if acted else 'nothing, no parked record is meant'}")
        if done == "retried" and acted:
            console().print("how that ends: `caseloop parked list --all`", style="dim")
    if missing:
        raise CommandError(f"not waiting in the parking lot: {', '.join(missing)}")


async def _act_on(done: Done, dsn: str, ids: Sequence[str], reason: str, now: datetime) -> tuple[list[str], list[str]]:
    """Act on records one by one; return which were there and which were not."""
    acted: list[str] = []
    missing: list[str] = []
    for id_ in ids:
        service, number = _named(id_)
        async with schema(dsn, service) as connection, connection.transaction():
            (acted if await _changed(done, connection, [number], reason, now) else missing).append(id_)
    return acted, missing


async def _act_all(done: Done, dsn: str, service: str, wanted: Wanted, reason: str) -> list[str]:
    """Act on whatever is wanted, oldest first, a page per transaction, so that no service waits long for its lot."""
    acted: list[str] = []
    async with schema(dsn, service) as connection:
        after = 0
        while page := await parking_lot.parked(connection, wanted, PAGE, after):
            after = page[-1].parked_id
            async with connection.transaction():
                ids = [each.parked_id for each in page]
                acted += [
                    f"{service}:{each}" for each in await _changed(done, connection, ids, reason, SystemClock().now())
                ]
    return acted


async def _changed(done: Done, connection: Connection, ids: Sequence[int], reason: str, now: datetime) -> list[int]:
    change = parking_lot.requeue if done == "retried" else parking_lot.discard
    return sorted(await change(connection, ids, getpass.getuser(), reason, now))


async def _confirm(done: Done, dsn: str, filter_: Filter, wanted: Wanted, *, yes: bool) -> None:
    """Say what is meant and ask a person; ``CommandError`` (status 2) where there is nobody to ask."""
    if yes:
        return
    out, total = console(stderr=True), 0
    for service in filter_.services():
        async with schema(dsn, service) as connection:
            for (topic, code), records in (await parking_lot.counted(connection, wanted)).items():
                out.print(f"{service}: {records} of {topic}, {code}", markup=False)
                total += records
    if not total:
        return
    if not sys.stdin.isatty():
        raise bad_input(f"{total} records would be {done}: add --yes, or name them one by one")
    out.print(f"shall these {total} records be {done}? [y/N] ", end="", markup=False)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise CommandError(f"nothing was {done}")


def _named(id_: str) -> tuple[str, int]:
    service, _, number = id_.partition(":")
    if service not in SERVICES or not number.isdecimal() or len(number) > 18:  # noqa: PLR2004 - digits of a bigint
        raise bad_input(f"{id_!r}: write service:number as `caseloop parked list` shows it, for example intake:17")
    return service, int(number)
