"""Is a setting found where the manual says, and is a wrong one told in one line without its value?"""

from pathlib import Path

import pytest

from services.runtime.configuration import load
from services.runtime.errors import StartError
from services.runtime.settings import STANDARD_POLICY, Settings

GIVEN = {
    "CASELOOP_KAFKA_BOOTSTRAP": "broker:9092",
    "CASELOOP_POSTGRES_DSN": "postgresql://caseloop:s3cr3t@db:5432/caseloop",
}


def refusal(service: str = "router", **environment: str) -> list[str]:
    with pytest.raises(StartError) as refused:
        load(service, Settings, GIVEN | environment)
    assert refused.value.exit_code == 2
    return list(refused.value.lines)


def test_two_keys_are_enough() -> None:
    settings = load("router", Settings, GIVEN)

    assert settings.kafka_bootstrap == "broker:9092"
    assert settings.policy == STANDARD_POLICY
    assert settings.http_port == 0


def test_the_key_of_the_service_wins_over_the_common_one_and_that_over_the_file(tmp_path: Path) -> None:
    config = tmp_path / "caseloop.toml"
    config.write_text('http_port = 1\nlog_level = "error"\ntopic_prefix = "a."\n[router]\ntopic_prefix = "b."\n')
    environment = GIVEN | {"CASELOOP_CONFIG": str(config), "CASELOOP_HTTP_PORT": "2", "CASELOOP_ROUTER_HTTP_PORT": "3"}

    router, intake = load("router", Settings, environment), load("intake", Settings, environment)

    assert (router.http_port, router.topic_prefix, router.log_level) == (3, "b.", "error")
    assert (intake.http_port, intake.topic_prefix, intake.log_level) == (2, "a.", "error")


def test_each_service_may_have_its_own_database_role() -> None:
    own = "postgresql://router@db/caseloop"
    settings = load("router", Settings, GIVEN | {"CASELOOP_ROUTER_POSTGRES_DSN": own})

    assert settings.postgres_dsn.get_secret_value() == own


def test_a_secret_is_read_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "dsn"
    secret.write_text("postgresql://from@file/caseloop\n")
    environment = {"CASELOOP_KAFKA_BOOTSTRAP": "b:1", "CASELOOP_POSTGRES_DSN_FILE": str(secret)}

    assert load("router", Settings, environment).postgres_dsn.get_secret_value() == "postgresql://from@file/caseloop"


def test_no_representation_shows_a_secret() -> None:
    settings = load("router", Settings, GIVEN | {"CASELOOP_KAFKA_PASSWORD": "hunter2"})

    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"

    assert "s3cr3t" not in shown
    assert "hunter2" not in shown


def test_what_is_missing_is_named_with_what_to_set_it_to() -> None:
    with pytest.raises(StartError) as refused:
        load("router", Settings, {})

    assert refused.value.lines == (
        "CASELOOP_KAFKA_BOOTSTRAP: not set; set it to the brokers as host:port[,host:port]",
        "CASELOOP_POSTGRES_DSN: not set; set it to an address such as postgresql://user@host:5432/database",
    )


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("CASELOOP_KAFKA_BOOTSTRAP", "no port here", "the value has the wrong form"),
        ("CASELOOP_POSTGRES_DSN", "mysql://u:topsecret@h/d", "not a postgresql:// address"),
        ("CASELOOP_HTTP_PORT", "70000", "the value should be less than or equal to 65535"),
        ("CASELOOP_ROUTER_HTTP_PORT", "eighty", "the value should be a valid integer"),
        ("CASELOOP_POLICY", "/nowhere/policy.toml", "no such file"),
        ("CASELOOP_LOG_LEVEL", "loud", "the value should be 'debug', 'info', 'warning' or 'error'"),
        ("CASELOOP_BATCH_RECORDS_MAX", "0", "the value should be greater than or equal to 1"),
    ],
)
def test_a_wrong_value_gives_one_line_with_key_problem_and_remedy(key: str, value: str, problem: str) -> None:
    (line,) = refusal(**{key: value})

    assert line.startswith(f"{key}: {problem}")
    assert "; set it to " in line
    assert "topsecret" not in line


def test_two_wrong_values_give_two_lines() -> None:
    assert len(refusal(CASELOOP_HTTP_PORT="x", CASELOOP_TRACE_RATIO="2")) == 2


def test_a_misspelt_key_in_the_file_is_told_with_the_likely_one(tmp_path: Path) -> None:
    config = tmp_path / "caseloop.toml"
    config.write_text('kafka_bootstrp = "b:1"\n[router]\nhttp_prt = 1\n[notify]\nanything = 1\n')

    assert refusal(CASELOOP_CONFIG=str(config)) == [
        "kafka_bootstrp: no such setting; did you mean kafka_bootstrap?",
        "http_prt: no such setting; did you mean http_port?",
    ]


def test_a_wrong_value_in_the_file_names_the_file(tmp_path: Path) -> None:
    config = tmp_path / "caseloop.toml"
    config.write_text("[router]\nhttp_port = -1\n")

    (line,) = refusal(CASELOOP_CONFIG=str(config))

    assert line.startswith(f"router.http_port in {config}: ")


@pytest.mark.parametrize("text", ["not [ toml", "a = \ud800"])
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, text: str) -> None:
    config = tmp_path / "caseloop.toml"
    config.write_bytes(text.encode("utf-8", "surrogatepass"))

    (line,) = refusal(CASELOOP_CONFIG=str(config))

    assert line.startswith(f"CASELOOP_CONFIG: cannot read {config}: ")
    assert "\n" not in line


def test_a_secret_file_that_is_not_there_is_one_line() -> None:
    (line,) = refusal(CASELOOP_KAFKA_PASSWORD_FILE="/nowhere/secret")  # noqa: S106 - a path

    assert line == (
        "CASELOOP_KAFKA_PASSWORD_FILE: cannot read /nowhere/secret: No such file or directory; "
        "set it to the path of a readable file"
    )
