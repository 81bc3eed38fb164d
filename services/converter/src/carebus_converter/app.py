"""Wiring of the converter."""

from __future__ import annotations

from carebus_contracts.headers import Envelope
from carebus_contracts.topics import CONVERTER, OMOP_RECORDS
from carebus_converter.domain.ccda import DocumentSettings
from carebus_converter.domain.conversion import Conversion
from carebus_converter.domain.openemr import OpenEmrSettings
from carebus_converter.domain.records import decode_records
from carebus_converter.handlers import convert_records
from carebus_converter.settings import ConverterSettings
from carebus_runtime.controls import JobControls
from carebus_runtime.offload import Offload
from carebus_runtime.settings import KafkaSettings
from carebus_runtime.subscription import Batching, Subscription
from carebus_runtime.worker import Worker

PART_BYTES = 4 * 1024 * 1024
"""Bundles in memory at once: what is made of one, for all targets, is some ten times as large."""


def build() -> Worker:
    """Return the worker that the environment describes.

    Raises:
        ConfigurationError: It does not describe one.
    """
    settings = ConverterSettings.load()
    kafka = KafkaSettings.load()
    worker = Worker("converter", settings, kafka)
    controls = JobControls(kafka)
    worker.background(controls.run, first=controls.caught_up)
    names_key = settings.names_key.get_secret_value().encode()
    convert = Conversion(
        documents=DocumentSettings(organization=settings.organization, name_key=names_key),
        openemr=OpenEmrSettings(names_key=names_key),
    )

    def starves(envelope: Envelope) -> tuple[str, ...]:
        return envelope.targets

    worker.subscribe(
        Subscription(
            OMOP_RECORDS,
            CONVERTER,
            decode_records,
            convert_records(convert, offload=Offload("convert"), stage=CONVERTER, controls=controls),
            Batching(
                records=settings.batch_persons,
                min_bytes=settings.fetch_min_bytes,
                wait_ms=settings.fetch_wait_ms,
                part_bytes=PART_BYTES,
            ),
            starves,
        )
    )
    return worker
