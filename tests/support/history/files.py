"""How is a history kept in a small file?"""

import gzip
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from tests.support.history.model import Acceptance, Delivery, History, Parked, Record, Sent, Tables, Waiting


def save(history: History, path: Path) -> None:
    """Write it, always to the same bytes."""
    document = {
        "sent": [asdict(each) for each in history.sent],
        "records": [{**_fields(each), "value": each.value.decode()} for each in history.records],
        "ends": [[*place, *ends] for place, ends in history.ends.items()],
        "accepted": [asdict(each) for each in history.accepted],
        "tables": {
            "marks": [[*place, mark] for place, mark in history.tables.marks.items()],
            "parked": [asdict(each) for each in history.tables.parked],
            "versions": history.tables.versions,
            "deliveries": [asdict(each) for each in history.tables.deliveries],
            "standings": history.tables.standings,
            "waiting": [asdict(each) for each in history.tables.waiting],
        },
        "ended_at": history.ended_at,
    }
    path.write_bytes(gzip.compress(orjson.dumps(document), mtime=0))


def _fields(record: Record) -> dict[str, Any]:
    return {name: getattr(record, name) for name in Record.__dataclass_fields__}


def load(path: Path) -> History:
    """Read it again."""
    document = orjson.loads(gzip.decompress(path.read_bytes()))
    tables = document["tables"]
    return History(
        [Sent(**each) for each in document["sent"]],
        [Record(**{**each, "value": each["value"].encode()}) for each in document["records"]],
        {(topic, part): (first, end) for topic, part, first, end in document["ends"]},
        [Acceptance(**each) for each in document["accepted"]],
        Tables(
            {(service, topic, part): mark for service, topic, part, mark in tables["marks"]},
            [Parked(**each) for each in tables["parked"]],
            tables["versions"],
            [Delivery(**each) for each in tables["deliveries"]],
            tables["standings"],
            [Waiting(**each) for each in tables["waiting"]],
        ),
        document["ended_at"],
    )
