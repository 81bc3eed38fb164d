"""Every topic, declared once: name, key, payload, partitions, retention, size, cleanup, dead letters.

Workers, ``carebus topics``, the compose file, the documentation and the tests read them from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DAY_MS = 86_400_000
MAX_MESSAGE_BYTES = 10 * 1024 * 1024
"""Kafka's limit on every topic of ours; brokers must allow it (``message.max.bytes``)."""
CLAIM_CHECK_BYTES = 4 * 1024 * 1024
"""Payloads above this go by claim check, so that one batch of many stays in memory."""

TARGETS = ("openemr", "postgres", "clickhouse", "documents")


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic."""

    name: str
    key: str
    """What the Kafka key holds, in words."""
    payload: str
    """Name of the contract in the value."""
    readers: tuple[str, ...] = ()
    """Consumer groups that must see every message; each has a dead-letter topic of its own."""
    partitions: int = 12
    """Twelve divides by 1, 2, 3, 4 and 6 replicas."""
    retention_ms: int = 7 * DAY_MS
    cleanup: Literal["delete", "compact"] = "delete"
    max_bytes: int = MAX_MESSAGE_BYTES

    def dead_letters(self, group: str) -> str:
        """Name of the topic that holds what ``group`` could not handle here."""
        return f"{self.name}.{group.removeprefix('carebus-')}.dlq"


CONSOLE = "carebus-console"
PLANNER = "carebus-planner"
"""The extractor's other group: a slice in hand never holds up the planning of the next job."""
EXTRACTOR = "carebus-extractor"
GENERATE_PLANNER = "carebus-generate-planner"
"""The generator's other group, as the extractor's."""
GENERATOR = "carebus-generator"
CONVERTER = "carebus-converter"


def loader_group(target: str) -> str:
    """Consumer group of the loader of one target."""
    return f"carebus-loader-{target}"


JOB_REQUESTED = Topic("carebus.job.requested.v1", "job_id (or none)", "JobRequest", (CONSOLE,), partitions=3)
JOB_ACCEPTED = Topic(
    "carebus.job.accepted.v1", "job_id", "AcceptedJob", (PLANNER, GENERATE_PLANNER), partitions=3
)
JOB_CONTROL = Topic("carebus.job.control.v1", "job_id", "JobControl", partitions=1, cleanup="compact")
JOB_EVENTS = Topic("carebus.job.events.v1", "job_id", "JobEvent", partitions=3)
JOB_STATES = Topic("carebus.job.states.v1", "job_id", "JobState", partitions=1, cleanup="compact")
EXTRACT_SLICES = Topic("carebus.extract.slices.v1", "job_id", "WorkSlice", (EXTRACTOR,))
GENERATE_SLICES = Topic("carebus.generate.slices.v1", "job_id", "GenerateSlice", (GENERATOR,))
OMOP_RECORDS = Topic(
    "carebus.omop.records.v1",
    "source/person_id, or source/table/chunk",
    "PersonRecords | ReferenceRecords",
    (CONVERTER,),
)
CCDA_DOCUMENTS = Topic(
    "carebus.ccda.documents.v1", "source/person_id", "CcdaDocument", (loader_group("documents"),)
)
LOAD_RECEIPTS = Topic("carebus.load.receipts.v1", "job_id", "Receipt", partitions=3)


def plans(target: str) -> Topic:
    """The topic that the loader of ``target`` reads (for documents: the documents themselves)."""
    if target == "documents":
        return CCDA_DOCUMENTS
    return Topic(
        f"carebus.dml.plans.{target}.v1",
        "as its subject: source/person_id, or source/table/chunk",
        "DmlPlan",
        (loader_group(target),),
    )


TOPICS: tuple[Topic, ...] = (
    JOB_REQUESTED,
    JOB_ACCEPTED,
    JOB_CONTROL,
    JOB_EVENTS,
    JOB_STATES,
    EXTRACT_SLICES,
    GENERATE_SLICES,
    OMOP_RECORDS,
    CCDA_DOCUMENTS,
    *(plans(target) for target in TARGETS if target != "documents"),
    LOAD_RECEIPTS,
)
"""All topics that messages are lost without; the dead-letter topics follow from ``readers``."""
BY_NAME = {topic.name: topic for topic in TOPICS}


def dead_letter_topics() -> tuple[Topic, ...]:
    """One dead-letter topic for each topic and group that reads it."""
    return tuple(
        Topic(
            topic.dead_letters(group),
            topic.key,
            "DeadLetter",
            partitions=1,
            retention_ms=30 * DAY_MS,
        )
        for topic in TOPICS
        for group in topic.readers
    )
