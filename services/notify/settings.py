"""What can an operator set about providers?"""

import re

from pydantic import Field, SecretStr, field_validator, model_validator

from services.notify.domain.outcomes import Limits
from services.runtime.settings import HttpAddress, Seconds, Settings

SECRET_PATTERN = re.compile(r"whsec_[A-Za-z0-9+/]{32,88}={0,2}")


class NotifySettings(Settings):
    """Everything that every service can be told, and the SMS provider."""

    sms_url: HttpAddress | None = Field(None, description="the http(s):// address of the SMS provider")
    sms_token: SecretStr | None = Field(None, description="the bearer token that the SMS provider gave out")
    sms_sender: str = Field("caseloop", min_length=1, max_length=20, description="the sender that customers see")
    sms_provider: str = Field(
        "sms",
        pattern=r"^[a-z][a-z0-9_-]{0,31}$",
        description="the provider's name in /providers/{name}/receipts",
    )
    provider_secret: SecretStr | None = Field(
        None,
        description="whsec_ and 24 to 64 bytes in base64; several, separated by spaces, while one is replaced",
    )
    sms_timeout_seconds: Seconds = Field(10.0, description="the seconds to wait for the provider's answer")
    sms_calls_max: int = Field(16, ge=1, le=1000, description="the calls to the provider at the same time, 1 to 1000")
    sms_lease_seconds: Seconds = Field(
        30.0,
        description="the seconds after which a message in the hands of a dead process is looked up",
    )
    sms_sends_max: int = Field(8, ge=1, le=100, description="how often a message is offered to the provider, 1 to 100")
    sms_retry_seconds_first: Seconds = Field(1.0, description="the seconds before a message is offered again")
    sms_retry_seconds_max: Seconds = Field(300.0, description="the longest pause between two offers in seconds")
    sms_lookup_seconds: Seconds = Field(2.0, description="the seconds before an unknown outcome is looked up")

    @field_validator("provider_secret")
    @classmethod
    def _is_a_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not all(SECRET_PATTERN.fullmatch(each) for each in value.get_secret_value().split()):
            raise ValueError("not a secret of the form whsec_<base64>")
        return value

    @model_validator(mode="after")
    def _a_lease_outlives_a_call(self) -> "NotifySettings":
        if self.sms_lease_seconds <= self.sms_timeout_seconds:
            raise ValueError(
                "CASELOOP_NOTIFY_SMS_LEASE_SECONDS: not longer than CASELOOP_NOTIFY_SMS_TIMEOUT_SECONDS; "
                "set it to three times as much",
            )
        return self

    @property
    def sms_limits(self) -> Limits:
        """Return how stubborn the dispatcher is."""
        return Limits(
            self.sms_sends_max,
            self.sms_retry_seconds_first,
            self.sms_retry_seconds_max,
            self.sms_lookup_seconds,
        )
