"""The whole suite on one machine: which workers there are, and what they are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from carebus_contracts.topics import TARGETS
from carebus_demo.workers import Workers, WorkerSpec

CONSOLE_PORT = 28080
FIRST_HEALTH_PORT = 28081


def suite(
    settings: Mapping[str, str],
    folder: Path,
    *,
    roots: Sequence[Path],
    replicas: Mapping[str, int] | None = None,
    port_offset: int = 0,
    targets: Sequence[str] = TARGETS,
) -> Workers:
    """Return the workers of a suite, not started yet.

    Args:
        settings: Where the servers are (``LocalStack.endpoints.settings()``).
        folder: For logs, documents, blobs and staged sources.
        roots: Folders that jobs may read from.
        replicas: Processes by worker name (``extractor``, ``loader-openemr`` ...), 1 if not named, but no
            generator.
        port_offset: Added to every port.
        targets: The targets to load.
    """
    port = FIRST_HEALTH_PORT + port_offset
    specs: list[WorkerSpec] = [
        WorkerSpec(
            "console",
            "carebus_console",
            {},
            CONSOLE_PORT + port_offset,
        )
    ]
    wanted: list[tuple[str, str, dict[str, str]]] = [
        ("extractor", "carebus_extractor", {}),
        ("generator", "carebus_generator", {}),
        ("converter", "carebus_converter", {}),
    ] + [(f"loader-{target}", "carebus_loader", {"CAREBUS_LOADER_TARGET": target}) for target in targets]
    for name, module, own in wanted:
        count = (replicas or {}).get(name, 0 if name == "generator" else 1)
        for number in range(count):
            specs.append(WorkerSpec(name if count == 1 else f"{name}-{number + 1}", module, own, port))
            port += 1
    return Workers(specs, common=common_settings(settings, folder, roots), logs=folder / "logs")


def common_settings(settings: Mapping[str, str], folder: Path, roots: Sequence[Path]) -> dict[str, str]:
    """Return what all workers of a suite are told."""
    return {
        **settings,
        "CAREBUS_KAFKA_CLAIM_CHECK_URL": f"file://{folder / 'blobs'}",
        "CAREBUS_DOCUMENTS_URL": f"file://{folder / 'documents'}",
        "CAREBUS_EXTRACTOR_ALLOWED_ROOTS": ",".join(str(root) for root in roots),
        "CAREBUS_EXTRACTOR_STAGE_DIR": str(folder / "stage"),
        "CAREBUS_GENERATOR_ALLOWED_ROOTS": ",".join(map(str, (folder / "generated", *roots))),
    }
