"""Wiring of the extractor: a planner and a reader of slices in one process."""

from __future__ import annotations

from carebus_contracts.jobs import AcceptedJob, ExtractJob
from carebus_contracts.slices import WorkSlice
from carebus_contracts.topics import EXTRACT_SLICES, EXTRACTOR, JOB_ACCEPTED, PLANNER
from carebus_extractor.adapters import open_source
from carebus_extractor.handlers import extract_slices
from carebus_extractor.planner import plan_extract, slice_message
from carebus_extractor.ports import OmopSource
from carebus_extractor.settings import ExtractorSettings
from carebus_runtime.controls import JobControls
from carebus_runtime.offload import Offload
from carebus_runtime.planning import Planner
from carebus_runtime.settings import KafkaSettings
from carebus_runtime.subscription import Batching, Subscription
from carebus_runtime.window import Window
from carebus_runtime.worker import Worker

MIB = 1024 * 1024
LONGEST_PLAN_S = 1_800
"""Planning stages a source once, which takes as long as sorting it does."""


def build() -> Worker:
    """Return the worker that the environment describes.

    Raises:
        ConfigurationError: It does not describe one.
    """
    settings = ExtractorSettings.load()
    kafka = KafkaSettings.load()
    worker = Worker("extractor", settings, kafka)
    controls = JobControls(kafka)
    worker.background(controls.run, first=controls.caught_up)

    def source(job: ExtractJob) -> OmopSource:
        return open_source(job.omop, settings)

    planner = Planner(
        ExtractJob,
        plan_extract(source),
        slice_message,
        kafka=kafka,
        producer=worker.producer,
        offload=Offload("plan"),
        controls=controls,
        window=Window(settings.window_slices, settings.window_mb * MIB),
    )
    plans = worker.subscribe(
        Subscription(
            JOB_ACCEPTED,
            PLANNER,
            AcceptedJob.from_json,
            planner.handler(),
            Batching(records=1, wait_ms=100),
            longest_batch_s=LONGEST_PLAN_S,
        )
    )
    planner.owned = lambda: plans.assignment
    worker.background(planner.run)
    worker.subscribe(
        Subscription(
            EXTRACT_SLICES,
            EXTRACTOR,
            WorkSlice.from_json,
            extract_slices(source, producer=worker.producer, offload=Offload("extract"), controls=controls),
            Batching(records=1, wait_ms=100),
            longest_batch_s=LONGEST_PLAN_S,
        )
    )
    return worker
