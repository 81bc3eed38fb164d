"""Judging requests against what is known now: the book, the loaders that run, the console's token."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import sha256

from pydantic import SecretStr

from carebus_console.adapters.kafka_book import KafkaBook
from carebus_console.domain.admission import Admission, Circumstances, Request, admit
from carebus_console.ports import LiveLoaders
from carebus_contracts.topics import dead_letter_topics
from carebus_runtime.received import Received

PROOF = "carebus-proof"
"""Header of requests that came with the console's token: a keyed hash of the request."""
DEAD_LETTER_TOPICS = tuple(topic.name for topic in dead_letter_topics())


class Judge:
    """Judges a request as ``domain.admission`` says."""

    def __init__(self, records: KafkaBook, *, loaders: LiveLoaders, token: SecretStr) -> None:
        self._records = records
        self._loaders = loaders
        self._token = token.get_secret_value().encode()

    async def judge(
        self, body: bytes, *, place: str, claimed: bool, fresh: Mapping[str, Request] | None = None
    ) -> Admission:
        """Judge a request.

        Args:
            body: The request as it came.
            place: The job's id when it names none.
            claimed: The requester was not proved.
            fresh: Requests that were admitted a moment ago, which the book may not show yet.
        """

        def request_of(job_id: str) -> Request | None:
            ledger = self._records.book.get(job_id)
            accepted = ledger.accepted if ledger else None
            return accepted.request if accepted else (fresh or {}).get(job_id)

        now = Circumstances(
            place=place,
            request_of=request_of,
            state_of=self._records.book.state,
            running=self._records.book.running(),
            live_targets=await self._loaders.targets(),
            dead_letter_topics=DEAD_LETTER_TOPICS,
            claimed=claimed,
        )
        return admit(body, now)

    def proof(self, value: bytes) -> bytes:
        """Return the proof that a request came with the token."""
        return hmac.new(self._token, value, sha256).hexdigest().encode()

    def proved(self, message: Received[bytes]) -> bool:
        """Whether a request bears its proof."""
        given = dict(message.envelope.extra).get(PROOF) or b""
        return bool(self._token) and hmac.compare_digest(given, self.proof(message.payload))
