"""How does the dispatcher learn that something was queued, and since when it may be due?"""

import asyncio
from datetime import datetime

from services.runtime.looking import LookBack


class Queued(asyncio.Event):
    """Set when something may be due or a caller is free."""

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__()
        self.looks = LookBack()

    def ring(self, began: datetime) -> None:
        """Tell that a transaction which began at this moment has been committed: what it queued is not due before."""
        self.looks.reach(began)
        self.set()
