"""Wiring of the generator: a planner and a maker of slices in one process."""

from __future__ import annotations

from carebus_contracts.jobs import AcceptedJob, GenerateJob
from carebus_contracts.slices import GenerateSlice
from carebus_contracts.topics import GENERATE_PLANNER, GENERATE_SLICES, GENERATOR, JOB_ACCEPTED
from carebus_generator.data_sets import DataSets
from carebus_generator.domain.scenario import preset_names
from carebus_generator.handlers import SliceMaker
from carebus_generator.outputs import Outputs
from carebus_generator.planner import plan_generate, slice_message
from carebus_generator.settings import GeneratorSettings
from carebus_runtime.controls import JobControls
from carebus_runtime.offload import Offload
from carebus_runtime.planning import Planner
from carebus_runtime.settings import KafkaSettings
from carebus_runtime.subscription import Batching, Subscription
from carebus_runtime.window import Window
from carebus_runtime.worker import Worker

MIB = 1024 * 1024
LONGEST_SLICE_S = 1_800
"""Putting large files together in the end takes as long as copying them does."""


def build() -> Worker:
    """Return the worker that the environment describes.

    Raises:
        ConfigurationError: It does not describe one.
    """
    settings = GeneratorSettings.load()
    kafka = KafkaSettings.load()
    worker = Worker("generator", settings, kafka)
    controls = JobControls(kafka)
    worker.background(controls.run, first=controls.caught_up)
    data_sets, outputs = DataSets(settings.scenarios_kept), Outputs(settings)
    data_sets.warm(GenerateJob(kind="generate", source="warm", scenario=name) for name in preset_names())
    planner = Planner(
        GenerateJob,
        plan_generate(data_sets, outputs, settings.slice_patients),
        slice_message,
        kafka=kafka,
        producer=worker.producer,
        offload=Offload("plan"),
        controls=controls,
        window=Window(settings.window_slices, settings.window_mb * MIB, first=2),
    )
    plans = worker.subscribe(
        Subscription(
            JOB_ACCEPTED,
            GENERATE_PLANNER,
            AcceptedJob.from_json,
            planner.handler(),
            Batching(records=1, wait_ms=20),
        )
    )
    planner.owned = lambda: plans.assignment
    worker.background(planner.run)
    maker = SliceMaker(
        data_sets, outputs, producer=worker.producer, offload=Offload("generate"), controls=controls
    )
    worker.subscribe(
        Subscription(
            GENERATE_SLICES,
            GENERATOR,
            GenerateSlice.from_json,
            maker.handler(),
            Batching(records=1, wait_ms=20),
            longest_batch_s=LONGEST_SLICE_S,
        )
    )
    return worker
