"""Commands on data sets in files: made here, verified, compared, shown, decrypted. None needs Kafka."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from carebus_contracts.errors import CareBusError, InvalidScenario, JobError

if TYPE_CHECKING:
    from carebus_generator.adapters.local_run import Progress
    from carebus_generator.domain.scenario import Scenario

AGREES, DIFFERS, BAD_INPUT = 0, 1, 2
_SUFFIXES = (".toml", ".json")
_KEY = click.Path(path_type=Path, dir_okay=False)

F = TypeVar("F", bound=Callable[..., Any])


def _key_option(text: str) -> Callable[[F], F]:
    return click.option("--key-file", type=_KEY, help=text)


@click.command()
@click.argument("scenario")
@click.option("--out", "url", required=True, help="Folder, or URL of one; made if it is not there.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["ndjson", "json", "csv", "parquet"]),
    default="ndjson",
    show_default=True,
    help="A person a line, one array, or a table of OMOP a file.",
)
@click.option(
    "--compression", type=click.Choice(["none", "gzip", "zstd"]), default="none", show_default=True,
    help="Parquet compresses by itself.",
)  # fmt: skip
@_key_option("Encrypt with this key of 32 bytes; `head -c 32 /dev/urandom > FILE` makes one.")
@click.option("--total", type=click.IntRange(1), help="Patients, in place of the scenario's number.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True)
@click.option("--source", help="Slug of the data set; the scenario's name if left out.")
@click.option("--first-person-id", type=click.IntRange(1), default=1, show_default=True)
@click.option("--processes", type=click.IntRange(1), default=2, show_default=True)
@click.option("--chunk", "chunk_patients", type=click.IntRange(1, 100_000), default=2_000, show_default=True)
@click.option("--quiet", is_flag=True, help="No progress.")
def run(
    *, scenario: str, form: Any, compression: Any, total: int | None, source: str | None, processes: int,
    quiet: bool, **named: Any,
) -> None:  # fmt: skip
    """Make a data set here, without Kafka.

    SCENARIO is a preset, or a TOML or JSON file. Run again after a kill, it goes on with what is there; the
    same scenario, seed, source and first person id give the same data set, whatever the chunks, processes
    and format. Exit status 0: complete; 2: a sentence says why not.
    """
    from carebus_contracts.omop.bundle import SOURCE_SLUG  # noqa: PLC0415
    from carebus_generator.adapters.local_run import Order  # noqa: PLC0415
    from carebus_generator.adapters.local_run import run as make  # noqa: PLC0415

    with shown_errors():
        if source is not None and not re.match(SOURCE_SLUG, source):
            raise JobError(
                f"--source {source!r} must be lower-case letters, digits and _ . - after the first"
            )
        content = scenario_named(scenario, total)
        order = Order(
            scenario=content,
            source=source or content.name,
            format=form,
            compression=compression,
            **named,
        )
        manifest = make(
            order,
            processes=processes,
            on_progress=(lambda _: None) if quiet else _show,
            on_warning=lambda text: click.echo(f"warning: {text}", err=True),
        )
    if not quiet:
        click.echo(err=True)
    rows = sum(manifest.counts.values())
    size = sum(file.bytes for file in manifest.files)
    click.echo(
        f"{manifest.made_from.patients:,} patients, {rows:,} rows, {size / 1e6:,.1f} MB in {named['url']}"
    )
    click.echo(f"data-set hash {manifest.data_set_hash}")


@click.command()
@click.argument("manifest")
@_key_option("Key of encrypted files.")
def verify(*, manifest: str, key_file: Path | None) -> None:
    """Read a data set again, and say whether it is what its MANIFEST says.

    MANIFEST is the file, or the folder or URL that it is in. Exit status 0: it is; 1: it is not; 2: it
    cannot be read.
    """
    from carebus_generator.adapters.verifying import verify as look  # noqa: PLC0415

    with shown_errors():
        found = look(manifest, key_file)
    for fault in found.faults:
        click.echo(fault)
    if found.faults:
        raise SystemExit(DIFFERS)
    made = found.manifest.made_from
    click.echo(f"{made.patients:,} patients, {len(found.manifest.files):,} files: all as the manifest says")
    click.echo(f"data-set hash {found.manifest.data_set_hash}")


@click.command()
@click.argument("one")
@click.argument("other")
@_key_option("Key of encrypted files.")
def diff(*, one: str, other: str, key_file: Path | None) -> None:
    """Say how two data sets differ: parameters, counts, the first patient.

    ONE and OTHER are manifests, or folders or URLs with one. Exit status 0: they are the same; 1: they
    differ; 2: one cannot be read.
    """
    from carebus_generator.adapters.comparing import differences  # noqa: PLC0415

    with shown_errors():
        found = differences(one, other, key_file)
    for line in found or ["the same patients"]:
        click.echo(line)
    raise SystemExit(DIFFERS if found else AGREES)


@click.command()
@click.argument("origin")
@click.option("--count", type=click.IntRange(1, 1_000), default=5, show_default=True)
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True, help="With a scenario."
)
@_key_option("Key of encrypted files.")
def cards(*, origin: str, count: int, seed: int, key_file: Path | None) -> None:
    """Show some patients as readable cards, evenly spread over the data set.

    ORIGIN is a data set (manifest, folder or URL), a preset, or a scenario file.
    """
    from carebus_contracts.omop.bundle import decode_person  # noqa: PLC0415
    from carebus_generator.adapters.sampling import of_files, of_scenario  # noqa: PLC0415
    from carebus_generator.domain.cards import card  # noqa: PLC0415
    from carebus_generator.domain.scenario import preset_names  # noqa: PLC0415

    with shown_errors():
        if origin in preset_names() or (origin.endswith(_SUFFIXES) and not origin.endswith("manifest.json")):
            bundles = of_scenario(scenario_named(origin, None), seed, count)
        else:
            bundles = of_files(origin, count, key_file)
        for number, bundle in enumerate(islice(bundles, count)):
            click.echo(("\n" if number else "") + card(decode_person(bundle)), nl=False)


@click.command()
@click.argument("file")
@_key_option("Its key.")
@click.option(
    "--out", "out", type=click.Path(path_type=Path), required=True, help="File for the plain bytes."
)
def decrypt(*, file: str, key_file: Path | None, out: Path) -> None:
    """Decrypt one FILE (path or URL) of a data set; compressed ones stay so (.gz, .zst)."""
    from carebus_generator.adapters.encryption import Key, decrypted  # noqa: PLC0415

    with shown_errors():
        if key_file is None:
            raise JobError(f"{file}: name the file of its key with --key-file")
        size = decrypted(file, out, Key.read(key_file))
    click.echo(f"{size:,} bytes in {out}")


def scenario_named(name: str, total: int | None) -> Scenario:
    """Return a preset, or the scenario of a TOML or JSON file, with another total if there is one.

    Raises:
        JobError: There is none of that name, or a rule is broken.
    """
    from carebus_generator.domain.scenario import preset, preset_names, read_scenario  # noqa: PLC0415

    if name in preset_names():
        found = preset(name)
    elif name.endswith(_SUFFIXES) or Path(name).is_file():
        path = Path(name)
        try:
            found = read_scenario(path.read_bytes(), path.name)
        except OSError as error:
            raise JobError(f"the scenario {name} cannot be read: {error.strerror}") from error
    else:
        raise InvalidScenario(
            name, (f"there is no such preset or file; the presets are {', '.join(preset_names())}",)
        )
    if total is None:
        return found
    # read again: some rules depend on the total
    return read_scenario(found.model_copy(update={"total": total}).model_dump_json(), found.name)


def _show(progress: Progress) -> None:
    share = progress.done / progress.total
    left = (progress.total - progress.done) / progress.per_second if progress.per_second else 0.0
    click.echo(
        f"\r{progress.done:,} of {progress.total:,} patients ({share:.0%}), "
        f"{progress.per_second:,.0f} a second, {left:,.0f} s left   ",
        err=True,
        nl=False,
    )


@contextmanager
def shown_errors() -> Iterator[None]:
    """Show an error of ours as its sentence, and end with exit status 2."""
    try:
        yield
    except CareBusError as error:
        click.echo(str(error), err=True)
        raise SystemExit(BAD_INPUT) from None
