"""Wiring of the console."""

from __future__ import annotations

from carebus_console.access import Access
from carebus_console.adapters.kafka_book import KafkaBook
from carebus_console.adapters.kafka_dead_letters import KafkaDeadLetters
from carebus_console.adapters.kafka_ends import KafkaEnds
from carebus_console.adapters.kafka_loaders import KafkaLoaders
from carebus_console.api import Api
from carebus_console.desk import Desk
from carebus_console.domain.retirement_rules import void_by
from carebus_console.errands import Errands
from carebus_console.handlers import admit_jobs
from carebus_console.judging import Judge
from carebus_console.settings import ConsoleSettings
from carebus_console.surveys import Surveys
from carebus_contracts.topics import CONSOLE, JOB_REQUESTED
from carebus_runtime.settings import KafkaSettings
from carebus_runtime.subscription import Batching, Subscription
from carebus_runtime.worker import Resource, Worker

STATES_OWNER = 0
"""The replica that reads this partition of the request topic stores states and runs errands."""


def build(settings: ConsoleSettings | None = None, kafka: KafkaSettings | None = None) -> Worker:
    """Return the console that the environment describes.

    Raises:
        ConfigurationError: It does not describe one.
    """
    settings = settings or ConsoleSettings.load()
    kafka = kafka or KafkaSettings.load()
    worker = Worker("console", settings, kafka)
    producer = worker.producer
    ends = KafkaEnds(kafka)
    records = KafkaBook(
        kafka,
        producer=producer,
        blobs=worker.blobs,
        ends=ends,
        states_per_s=settings.states_per_s,
        keep_days=settings.keep_days,
    )
    letters = KafkaDeadLetters(kafka, records.redriven, lambda: void_by(records.book))
    judge = Judge(records, loaders=KafkaLoaders(kafka), token=settings.token)
    surveys = Surveys(records, producer=producer, judge=judge)
    desk = Desk(records, producer=producer, judge=judge)
    requests = worker.subscribe(
        Subscription(
            JOB_REQUESTED,
            CONSOLE,
            bytes,
            admit_jobs(records, producer=producer, judge=judge),
            Batching(records=100, wait_ms=100),
        )
    )
    records.owner = lambda: STATES_OWNER in requests.assignment
    worker.resource(Resource("kafka", ends.start, ends.stop, ends.ping))
    worker.resource(Resource("job states", records.start, records.stop, records.ping))
    worker.background(records.run)
    worker.background(
        Errands(records, producer=producer, letters=letters, surveys=surveys, blobs=worker.blobs).run
    )
    worker.routes(Api(desk, letters, Access(settings.token), closing=lambda: records.closing).routes())
    return worker
