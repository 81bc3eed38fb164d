"""Deleting dead letters of retired subjects: until it is done, and again when more of them can go.

Kafka deletes from the beginning of a topic only, so what can go changes: letters come late, one in front
is sent back, Kafka is away, the console dies between a retirement and the deletion. Nobody is shown these
letters meanwhile.
"""

from __future__ import annotations

import time

from carebus_console.ports import DeadLetterStore
from carebus_contracts.errors import TransientError
from carebus_runtime.logs import Log

log = Log(__name__)

EVERY_S = 3600.0
"""For letters that come late; each look reads what stands in front of the first letter that counts."""
AGAIN_AFTER_S = 30.0
"""After a failure; doubled with each, as the right to delete may be lacking for good."""


class LetterSweep:
    """Deletes when it is due, which it is at the beginning."""

    def __init__(self, letters: DeadLetterStore) -> None:
        self._letters = letters
        self._due_s = 0.0
        self._wait_s = AGAIN_AFTER_S

    def soon(self) -> None:
        """Make it due now."""
        self._due_s, self._wait_s = 0.0, AGAIN_AFTER_S

    async def sweep_if_due(self) -> None:
        """Delete what can go; a failure is logged, and tried again later."""
        if time.monotonic() < self._due_s:
            return
        try:
            if count := await self._letters.delete_retired():
                log.info("dead_letters_deleted", letters=count)
        except TransientError as error:
            log.warning("dead_letters_not_deleted", error=str(error))
            self._due_s, self._wait_s = time.monotonic() + self._wait_s, min(2 * self._wait_s, EVERY_S)
        else:
            self._due_s, self._wait_s = time.monotonic() + EVERY_S, AGAIN_AFTER_S
