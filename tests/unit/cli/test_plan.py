"""Is each process of a system told what it needs, and does a given address always win?"""

from pathlib import Path

import pytest

from services.cli.failures import CommandError
from services.cli.up.plan import Options, programs, services_named


def _environments(options: Options, environment: dict[str, str]) -> dict[str, dict[str, str]]:
    found, _ = programs(options, "k:1", "postgresql://p/d", environment)
    return {program.name: dict(program.environment) for program in found}


def test_every_service_and_the_local_provider_get_an_address_of_their_own(tmp_path: Path) -> None:
    found, providers = programs(Options(tmp_path), "k:1", "postgresql://p/d", {})

    assert [program.name for program in found] == ["sms", "intake", "router", "followup", "notify", "desk"]
    assert len({program.url for program in found}) == 6
    notify = next(program for program in found if program.name == "notify")
    assert notify.environment["CASELOOP_NOTIFY_SMS_URL"] == providers["sms"]
    assert f"{notify.url}/providers/sms/receipts" in found[0].command
    secret = Path(notify.environment["CASELOOP_NOTIFY_PROVIDER_SECRET_FILE"])
    assert secret.read_text(encoding="ascii").startswith("whsec_")
    assert secret.stat().st_mode & 0o077 == 0
    assert (
        programs(Options(tmp_path), "k:1", "postgresql://p/d", {})[0][0].environment["CASELOOP_KAFKA_BOOTSTRAP"]
        == "k:1"
    )


def test_what_the_environment_says_holds(tmp_path: Path) -> None:
    said = {"CASELOOP_NOTIFY_SMS_URL": "http://provider", "CASELOOP_DESK_HTTP_PORT": "8085", "HOME": "/h"}
    found, providers = programs(Options(tmp_path), "k:1", "postgresql://p/d", said)

    assert providers == {}
    assert found[-1].url == "http://127.0.0.1:8085"
    assert found[0].environment["HOME"] == "/h"


def test_one_broker_of_ours_keeps_one_copy_and_a_given_cluster_decides_itself(tmp_path: Path) -> None:
    ours = _environments(Options(tmp_path), {})
    given = _environments(Options(tmp_path, kafka="k:1"), {})

    assert ours["router"]["CASELOOP_TOPIC_REPLICATION"] == "1"
    assert "CASELOOP_TOPIC_REPLICATION" not in given["router"]


def test_services_can_be_chosen() -> None:
    assert services_named("desk, intake") == ["intake", "desk"]
    assert len(services_named(None)) == 5
    with pytest.raises(CommandError, match="no service kitchen"):
        services_named("kitchen")
