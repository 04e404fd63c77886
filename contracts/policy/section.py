"""What do all sections of a policy pack have in common?"""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of the pack: frozen, and closed, so that a misspelt key is an error and not a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid")
