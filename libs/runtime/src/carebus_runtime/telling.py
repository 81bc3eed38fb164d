"""What stages tell of jobs: events and receipts, as messages."""

from __future__ import annotations

from carebus_contracts.headers import Envelope
from carebus_contracts.jobs import JobEvent
from carebus_contracts.receipts import Receipt
from carebus_contracts.topics import JOB_EVENTS, LOAD_RECEIPTS
from carebus_runtime.received import Outgoing


def event_message(event: JobEvent) -> Outgoing:
    """Return the message of an event."""
    return Outgoing(JOB_EVENTS.name, event.job_id.encode(), event.to_json(), Envelope(contract="JobEvent/1"))


def receipt_message(receipt: Receipt) -> Outgoing:
    """Return the message of a receipt."""
    return Outgoing(
        LOAD_RECEIPTS.name, receipt.job_id.encode(), receipt.to_json(), Envelope(contract="Receipt/1")
    )
