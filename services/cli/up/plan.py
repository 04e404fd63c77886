"""Which processes make up a system on one machine, and what is each of them told?"""

import base64
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.process import free_port
from services.cli.connection import SERVICES
from services.cli.failures import bad_input

_SECRET_BYTES = 32
_PROVIDER = "sms"


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for."""

    data_dir: Path
    kafka: str | None = None
    """Given, or ours to start."""
    postgres: str | None = None
    policy: Path | None = None
    services: Sequence[str] = SERVICES


@dataclass(frozen=True, slots=True)
class Program:
    """One process of the system."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    url: str
    """Where it answers, also after a restart."""
    ready_path: str


def services_named(text: str | None) -> Sequence[str]:
    """Return the services of ``--services a,b``; ``CommandError`` names what is none."""
    named = [name.strip() for name in text.split(",")] if text else list(SERVICES)
    unknown = [name for name in named if name not in SERVICES]
    if unknown:
        raise bad_input(f"--services: no service {', '.join(unknown)}; services are {', '.join(SERVICES)}")
    return [name for name in SERVICES if name in named]


def programs(
    options: Options, kafka: str, postgres: str, environment: Mapping[str, str]
) -> tuple[list[Program], dict[str, str]]:
    """Return the processes to run, and the address of each provider that is among them.

    What the environment says about a port or a provider holds; everything else gets a free port, kept over restarts.
    """
    given = {**environment, "CASELOOP_KAFKA_BOOTSTRAP": kafka, "CASELOOP_POSTGRES_DSN": postgres}
    if options.kafka is None:
        given.setdefault("CASELOOP_TOPIC_REPLICATION", "1")
    if options.policy is not None:
        given["CASELOOP_POLICY"] = str(options.policy.resolve())
    ports = {name: _port(name, environment) for name in options.services}
    found: list[Program] = []
    providers: dict[str, str] = {}
    if "notify" in options.services and not _provider_given(environment):
        secret = _secret_file(options.data_dir)
        provider = _provider(options.data_dir, given, ports["notify"], secret)
        providers[_PROVIDER] = provider.url
        given |= {"CASELOOP_NOTIFY_SMS_URL": provider.url, "CASELOOP_NOTIFY_PROVIDER_SECRET_FILE": str(secret)}
        found.append(provider)
    return [*found, *(_service(name, options.data_dir, given, port) for name, port in ports.items())], providers


def _port(service: str, environment: Mapping[str, str]) -> int:
    text = environment.get(f"CASELOOP_{service.upper()}_HTTP_PORT", "")
    return int(text) if text.isdecimal() and int(text) else free_port()


def _provider_given(environment: Mapping[str, str]) -> bool:
    return bool(environment.get("CASELOOP_NOTIFY_SMS_URL") or environment.get("CASELOOP_SMS_URL"))


def _service(name: str, data_dir: Path, given: Mapping[str, str], port: int) -> Program:
    host = given.get("CASELOOP_HTTP_HOST") or "127.0.0.1"
    shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - what an operator may have chosen
    return Program(
        name=name,
        command=[sys.executable, "-m", f"services.{name}"],
        environment={**given, f"CASELOOP_{name.upper()}_HTTP_PORT": str(port)},
        log=data_dir / "logs" / f"{name}.log",
        url=f"http://{shown}:{port}",
        ready_path="/health/ready",
    )


def _provider(data_dir: Path, given: Mapping[str, str], notify_port: int, secret: Path) -> Program:
    """Return the local SMS provider, which reports to notify's provider edge and keeps a log of what it accepted."""
    port = free_port()
    receipts = f"http://127.0.0.1:{notify_port}/providers/{_PROVIDER}/receipts"
    words = ["--port", str(port), "--receipts-url", receipts, "--secret-file", str(secret)]
    return Program(
        name=_PROVIDER,
        command=[sys.executable, "-m", "deploy.local.sms", *words, "--log", str(data_dir / "sms.jsonl")],
        environment=given,
        log=data_dir / "logs" / f"{_PROVIDER}.log",
        url=f"http://127.0.0.1:{port}",
        ready_path="/health/live",
    )


def _secret_file(data_dir: Path) -> Path:
    """Return the file with the secret that signs receipts here; it is kept, so that late receipts still hold."""
    path = data_dir / "sms.secret"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(f"whsec_{base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()}\n", encoding="ascii")
    return path
