"""What can an operator set, and which values are right?

Plain pydantic at the border; where a value is looked up and what is said about a wrong one is in ``configuration``.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

STANDARD_POLICY = Path(__file__).resolve().parents[2] / "deploy" / "policies" / "standard.toml"
"""The shipped service standard."""

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Brokers = Annotated[str, Field(pattern=r"^[^\s,:]+:\d{1,5}(,[^\s,:]+:\d{1,5})*$")]
Prefix = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,100}$")]
HttpAddress = Annotated[str, Field(pattern=r"^https?://\S+$")]


class Settings(BaseModel):
    """What every service can be told (interface.md 6); a service with more settings inherits from this.

    The description of a field ends the sentence "set it to ..." of the line that an operator sees.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kafka_bootstrap: Brokers = Field(description="the brokers as host:port[,host:port]")
    kafka_security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = Field(
        "plaintext",
        description="plaintext, ssl, sasl_plaintext or sasl_ssl",
    )
    kafka_username: str | None = Field(None, description="the SCRAM-SHA-512 user, with sasl_*")
    kafka_password: SecretStr | None = Field(None, description="the SCRAM-SHA-512 password, with sasl_*")
    kafka_ca_file: Path | None = Field(None, description="the file of the CA that signed the brokers' certificates")
    topic_prefix: Prefix = Field("", description="letters, digits, dots, dashes put before every topic and group name")
    topic_partitions: int | None = Field(None, ge=1, le=10_000, description="a number for topics made from now on")
    topic_replication: int | None = Field(None, ge=1, le=32, description="a number for topics made from now on")

    postgres_dsn: SecretStr = Field(description="an address such as postgresql://user@host:5432/database")
    pool_connections_max: int = Field(8, ge=4, le=100, description="the number of connections to PostgreSQL, 4 to 100")
    statement_timeout_seconds: Seconds = Field(30.0, description="the seconds that a statement may take")
    lock_timeout_seconds: Seconds = Field(3.0, description="the seconds that a statement may wait for a lock")
    idle_transaction_timeout_seconds: Seconds = Field(15.0, description="the seconds a transaction may stand idle")

    policy: Path = Field(STANDARD_POLICY, description="the path of a policy pack (*.toml)")

    http_host: str = Field("127.0.0.1", min_length=1, description="the address to listen on, 0.0.0.0 for all")
    http_port: Port = Field(0, description="a port number, 0 for any free one")
    announce_file: Path | None = Field(None, description="a path; service, pid and port are written there")

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info",
        description="debug, info, warning or error",
    )
    otlp_endpoint: HttpAddress | None = Field(None, description="the http:// address of an OTLP collector")
    trace_ratio: float = Field(1.0, ge=0, le=1, description="the share of new traces to sample, 0 to 1")

    batch_records_max: int = Field(1500, ge=1, le=10_000, description="the records of one transaction, 1 to 10000")
    batch_bytes_max: int = Field(
        8_388_608,
        ge=1_114_112,
        le=268_435_456,
        description="the bytes of one poll, 1114112 to 268435456",
    )
    poll_wait_seconds: Seconds = Field(0.5, description="the seconds that an idle poll waits")
    attempts_max: int = Field(
        8,
        ge=1,
        le=100,
        description="how often a failing record is tried before it is dead; conflicts never are, 1 to 100",
    )
    retry_seconds_first: Seconds = Field(1.0, description="the seconds before the first retry")
    retry_seconds_max: Seconds = Field(300.0, description="the longest pause between retries in seconds")
    dead_in_a_row_max: int = Field(50, ge=1, description="how many dead records in a row stop the service")
    parked_warning_seconds: float = Field(
        86_400.0, gt=0, description="the seconds that a record may stay parked before health warns of it"
    )
    inbox_retention_days: int = Field(90, ge=1, le=3650, description="the days that repeats are recognised")

    relay_rows_max: int = Field(256, ge=1, le=10_000, description="the outbox rows of one publish, 1 to 10000")
    relay_lease_seconds: float = Field(
        6.0,
        ge=0.5,
        le=600,
        description="the seconds that a dead relay blocks its buckets, 0.5 to 600",
    )
    publish_timeout_seconds: Seconds = Field(4.0, description="the seconds to wait for the brokers' acks")

    start_wait_seconds: Seconds = Field(20.0, description="the seconds to wait for servers at the start")
    stop_seconds: float = Field(8.0, gt=0, le=60, description="the seconds that an orderly stop may take, up to 60")

    @field_validator("postgres_dsn")
    @classmethod
    def _is_a_dsn(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            problem = "not a postgresql:// address"
            raise ValueError(problem)
        return value

    @field_validator("policy")
    @classmethod
    def _exists(cls, value: Path) -> Path:
        if not value.is_file():
            problem = "no such file"
            raise ValueError(problem)
        return value
