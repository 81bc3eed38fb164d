"""Wiring of a loader: one target, one topic, one group."""

from __future__ import annotations

from carebus_contracts.documents import CcdaDocument
from carebus_contracts.plans import read_plan
from carebus_contracts.topics import loader_group, plans
from carebus_loader.handlers import load_documents, load_plans
from carebus_loader.settings import LoaderSettings
from carebus_loader.targets import BATCH_SUBJECTS, open_target
from carebus_runtime.controls import JobControls
from carebus_runtime.settings import KafkaSettings
from carebus_runtime.subscription import Batching, Subscription
from carebus_runtime.worker import Resource, Worker


def build() -> Worker:
    """Return the worker that the environment describes.

    Raises:
        ConfigurationError: It does not describe one.
    """
    settings = LoaderSettings.load()
    kafka = KafkaSettings.load()
    target = open_target(settings.target)
    worker = Worker(f"loader-{settings.target}", settings, kafka)
    worker.resource(Resource(settings.target, target.start, target.stop, target.ping))
    controls = JobControls(kafka)
    worker.background(controls.run, first=controls.caught_up)
    group = loader_group(settings.target)
    batching = Batching(
        records=settings.batch_subjects or BATCH_SUBJECTS.get(settings.target, 200),
        min_bytes=settings.fetch_min_bytes,
        wait_ms=settings.fetch_wait_ms,
    )

    def starves(envelope: object) -> tuple[str, ...]:
        return (settings.target,)

    if settings.target == "documents":
        worker.subscribe(
            Subscription(
                plans("documents"),
                group,
                CcdaDocument.from_json,
                load_documents(target.write, stage=group, controls=controls),
                batching,
                starves,
            )
        )
    else:
        worker.subscribe(
            Subscription(
                plans(settings.target),
                group,
                read_plan,
                load_plans(target.write, target=settings.target, stage=group, controls=controls),
                batching,
                starves,
            )
        )
    return worker
