"""Where is the system that a command speaks to?

What is typed wins over ``CASELOOP_*``, and that over the state file that a running ``caseloop up`` leaves in its data
directory. When none of them knows an address, the command says so in one line.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from services.cli.failures import CommandError
from services.cli.state import Running, running
from services.runtime import configuration
from services.runtime.settings import Settings

SERVICES = ("intake", "router", "followup", "notify", "desk")
DATA_DIR = Path(".caseloop")
NOTHING: Mapping[str, str] = {}


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Where:
    """Options that every command shares which speaks to a system."""

    kafka: str | None = None
    """Kafka's address, host:port."""
    postgres: str | None = None
    """PostgreSQL's address, postgresql://user@host:5432/database."""
    desk: Annotated[str | None, Parameter(name="--desk-url")] = None
    """desk's address, http://host:port."""
    data_dir: Annotated[Path, Parameter(env_var="CASELOOP_DATA_DIR")] = DATA_DIR
    """Data directory of a running `caseloop up`."""


HERE = Where()


@dataclass(frozen=True, slots=True)
class Connection:
    """The addresses of one running system."""

    kafka: str
    postgres: str
    http: Mapping[str, str]
    """Service to its HTTP address; empty when only Kafka and PostgreSQL are known."""
    sms: str | None
    """The local SMS provider, when there is one."""
    topic_prefix: str
    policy: str | None
    """Path of the policy pack that judges, when it is known."""
    pids: Mapping[str, int]
    data_dir: Path

    def settings(self, defaults: Mapping[str, str] = NOTHING) -> Settings:
        """Return the runtime's settings for these addresses; the rest comes from ``CASELOOP_*``, else the defaults."""
        given = {
            "CASELOOP_KAFKA_BOOTSTRAP": self.kafka,
            "CASELOOP_POSTGRES_DSN": self.postgres,
            "CASELOOP_TOPIC_PREFIX": self.topic_prefix,
        }
        return configuration.load("cli", Settings, {**defaults, **configuration.ENVIRONMENT, **given})

    def desk_url(self) -> str:
        """Return desk's address; ``CommandError`` when nobody knows it."""
        if "desk" not in self.http:
            raise CommandError(
                "desk's address is not known: start `caseloop up`, give --desk-url or set CASELOOP_DESK_URL"
            )
        return self.http["desk"]


def find(where: Where) -> Connection:
    """Return the addresses of the system that is meant; ``CommandError`` when there is none."""
    state = running(where.data_dir)
    kafka = where.kafka or _set("KAFKA_BOOTSTRAP") or (state and state.kafka)
    postgres = where.postgres or _set("POSTGRES_DSN") or (state and state.postgres)
    desk = where.desk or _set("DESK_URL")
    for given, option, key in ((kafka, "--kafka", "KAFKA_BOOTSTRAP"), (postgres, "--postgres", "POSTGRES_DSN")):
        if not given:
            line = f"nothing runs in {where.data_dir}: start `caseloop up`, or give {option} (or CASELOOP_{key})"
            raise CommandError(line)
    return _connection(str(kafka), str(postgres), desk, state, where.data_dir)


def find_desk(where: Where) -> str:
    """Return desk's address only: commands that read cases need nothing else."""
    state = running(where.data_dir)
    found = where.desk or _set("DESK_URL") or (state and state.http.get("desk"))
    if not found:
        raise CommandError(
            f"nothing runs in {where.data_dir}: start `caseloop up`, or give --desk-url (or CASELOOP_DESK_URL)"
        )
    return found.rstrip("/")


def _connection(kafka: str, postgres: str, desk: str | None, state: Running | None, data_dir: Path) -> Connection:
    same = state is not None and state.kafka == kafka
    http = dict(state.http) if state is not None and same else {}
    if desk:
        http["desk"] = desk.rstrip("/")
    return Connection(
        kafka=kafka,
        postgres=postgres,
        http=http,
        sms=state.providers.get("sms") if state is not None and same else None,
        topic_prefix=_set("TOPIC_PREFIX") or (state.topic_prefix if state is not None and same else ""),
        policy=_set("POLICY") or (state.policy if state is not None and same else None),
        pids=state.pids if state is not None and same else {},
        data_dir=data_dir,
    )


def _set(key: str) -> str | None:
    """Return the value of ``CASELOOP_<key>``, else what the file says that ``CASELOOP_<key>_FILE`` names."""
    value, path = (configuration.ENVIRONMENT.get(f"CASELOOP_{key}{end}") for end in ("", "_FILE"))
    if value or not path:
        return value or None
    try:
        return Path(path).read_text("utf-8").strip()
    except OSError as problem:
        line = f"CASELOOP_{key}_FILE: cannot read {path}: {problem.strerror}; set it to the path of a readable file"
        raise CommandError(line) from None
