"""Which records did not end well, what is in them, and what shall become of them?"""

import getpass
from datetime import datetime
from typing import Any

from services.cli.connection import HERE, SERVICES, Where, find
from services.cli.failures import CommandError, bad_input
from services.cli.output import console, local, print_json, table
from services.cli.rendering import plain, shortened
from services.cli.schemas import schema
from services.runtime import parking
from services.runtime.clock import SystemClock
from services.runtime.parking import Parked

_OPEN = ("retry", "dead")
_ALL = ("retry", "dead", "retried", "discarded")


async def list_(
    *, service: str | None = None, all_: bool = False, limit: int = 1000, json: bool = False, where: Where = HERE
) -> None:
    """List the parking lot of all services, oldest first.

    Parameters
    ----------
    service
        Only this service's.
    all_
        Also what was retried or discarded.
    limit
        At most so many of each service.
    json
        Print one JSON document.
    """
    dsn, found = find(where).postgres, []
    for name in _services(service):
        async with schema(dsn, name) as connection:
            lot = await parking.parked(connection, _ALL if all_ else _OPEN, limit)
        found += [_item(name, each) for each in lot]
    if json:
        print_json({"parked": found})
        return
    now, lines = SystemClock().now(), table("id", "status", "reason", "topic", "place", "parked", "tries", "detail")
    for item in found:
        place = f"{item['partition']}@{item['offset']}"
        at = local(item["parked_at"], now)
        detail = plain(shortened(item["detail"]))
        lines.add_row(
            item["id"], item["status"], item["reason"], item["topic"], place, at, str(item["attempt"]), detail
        )
    console().print(lines if found else "nothing is parked")


async def show(id_: str, /, *, json: bool = False, where: Where = HERE) -> None:
    """Show one parked record with everything in it; it may hold personal data.

    Parameters
    ----------
    id_
        As `caseloop parked list` shows it, for example intake:17.
    json
        Print one JSON document.
    """
    service, number = _named(id_)
    async with schema(find(where).postgres, service) as connection:
        found = await parking.parked_record(connection, number)
    if found is None:
        raise CommandError(f"nothing is parked as {id_}; `caseloop parked list --all` shows what is")
    item = {**_item(service, found), **_content(found)}
    if json:
        print_json(item)
        return
    out = console()
    for name, value in item.items():
        shown = value if isinstance(value, str | int) else "" if value is None else str(value)
        out.print(f"{name:<16} {shown}", markup=False)


async def retry(*ids: str, reason: str = "asked for by a person", json: bool = False, where: Where = HERE) -> None:
    """Try parked records again, at once; a retry passes the duplicate guard.

    Parameters
    ----------
    ids
        As `caseloop parked list` shows them, for example intake:17.
    reason
        Kept in the audit.
    json
        Print one JSON document.
    """
    await _act("retried", ids, reason, where, as_json=json)


async def discard(*ids: str, reason: str, json: bool = False, where: Where = HERE) -> None:
    """Give parked records up: they shall have no effect. Who, when and why is kept in the audit.

    Parameters
    ----------
    ids
        As `caseloop parked list` shows them, for example intake:17.
    reason
        Why; required.
    json
        Print one JSON document.
    """
    if not reason.strip():
        raise bad_input("--reason: say why; it is kept in the audit")
    await _act("discarded", ids, reason, where, as_json=json)


async def _act(done: str, ids: tuple[str, ...], reason: str, where: Where, *, as_json: bool) -> None:
    if not ids:
        raise bad_input("name at least one parked record, for example intake:17")
    now, by, missing = SystemClock().now(), getpass.getuser(), []
    dsn = find(where).postgres
    change = parking.requeue if done == "retried" else parking.discard
    for id_ in ids:
        service, number = _named(id_)
        async with schema(dsn, service) as connection, connection.transaction():
            if not await change(connection, [number], by, reason, now):
                missing.append(id_)
    if as_json:
        print_json({done: [id_ for id_ in ids if id_ not in missing], "not_found": missing})
    elif len(missing) < len(ids):
        console().print(f"{done}: {', '.join(id_ for id_ in ids if id_ not in missing)}")
    if missing:
        raise CommandError(f"not waiting in the parking lot: {', '.join(missing)}")


def _services(named: str | None) -> tuple[str, ...]:
    if named is not None and named not in SERVICES:
        raise bad_input(f"--service {named}: one of {', '.join(SERVICES)}")
    return (named,) if named else SERVICES


def _named(id_: str) -> tuple[str, int]:
    service, _, number = id_.partition(":")
    if service not in SERVICES or not number.isdecimal() or len(number) > 18:  # noqa: PLR2004 - digits of a bigint
        raise bad_input(f"{id_!r}: write service:number as `caseloop parked list` shows it, for example intake:17")
    return service, int(number)


def _item(service: str, parked: Parked) -> dict[str, Any]:
    headers = dict(parked.record.headers)
    return {
        "id": f"{service}:{parked.parked_id}",
        "service": service,
        "status": parked.status,
        "reason": parked.reason,
        "detail": parked.detail,
        "topic": parked.record.topic,
        "partition": parked.record.partition,
        "offset": parked.record.offset,
        "ce_id": _readable(headers.get("ce_id")),
        "ce_type": _readable(headers.get("ce_type")),
        "attempt": parked.attempt,
        "next_attempt_at": _time(parked.next_attempt_at),
        "parked_at": _time(parked.parked_at),
    }


def _content(parked: Parked) -> dict[str, Any]:
    """Return key, headers and value: as text where they are text, else in hexadecimal digits."""
    record = parked.record
    return {
        "key": _readable(record.key),
        "headers": {name: _readable(value) for name, value in record.headers},
        "value": _readable(record.value),
        "value_hex": record.value.hex() if record.value is not None else None,
    }


def _readable(raw: bytes | None) -> str | None:
    if raw is None:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return f"hex:{raw.hex()}"


def _time(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at else None
