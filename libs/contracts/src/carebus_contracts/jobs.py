"""Jobs: what people ask for, what the console makes of it, and how far it has come."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, TypeAdapter, ValidationError, model_serializer

from carebus_contracts.errors import InvalidMessage
from carebus_contracts.model import UserModel, WireModel
from carebus_contracts.names import MadeUpNames, Names, Pseudonyms
from carebus_contracts.omop.bundle import SOURCE_SLUG

Target = Literal["openemr", "postgres", "clickhouse", "documents"]
Filing = Literal["none", "wanted", "required"]
"""Whether documents are filed in OpenEMR: never, where a sites folder is configured, or else refuse."""
JOB_ID = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$"
JobId = Annotated[str, Field(pattern=JOB_ID)]
Slug = Annotated[str, Field(pattern=SOURCE_SLUG)]


DIGEST = r"^([0-9a-f]{64})?$"


class CsvFolder(UserModel):
    """A folder with one delimited file a table; plain, gz or bz2."""

    format: Literal["csv"]
    path: str = Field(min_length=1, description="Folder, local or by fsspec URL, under an allowed root.")
    delimiter: str = Field(
        default="auto", description="One character, 'tab', or 'auto' to look at each file."
    )


class ParquetFolder(UserModel):
    """A folder with one Parquet file (or folder of parts) a table."""

    format: Literal["parquet"]
    path: str = Field(min_length=1, description="Folder, local or by fsspec URL, under an allowed root.")


class DuckDbFile(UserModel):
    """A DuckDB database file."""

    format: Literal["duckdb"]
    path: str = Field(min_length=1, description="File, local or by fsspec URL, under an allowed root.")
    db_schema: str = Field(default="main", alias="schema", description="Schema that holds the CDM tables.")


class PostgresSchema(UserModel):
    """A schema of a Postgres database that the worker's settings name."""

    format: Literal["postgres"]
    connection: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$", description="Name in the worker's settings.")
    db_schema: str = Field(default="cdm", alias="schema", description="Schema that holds the CDM tables.")


OmopSource = Annotated[CsvFolder | ParquetFolder | DuckDbFile | PostgresSchema, Field(discriminator="format")]


class Persons(UserModel):
    """Which persons; all of them when nothing is said."""

    limit: int | None = Field(default=None, ge=1, description="At most so many, in order of person_id.")
    start_after: int | None = Field(default=None, description="Only greater person_ids.")
    ids: tuple[int, ...] = Field(default=(), max_length=10_000, description="Exactly these.")
    sample: float | None = Field(
        default=None, gt=0, le=1, description="A share, chosen by a hash of the id: the same every time."
    )


class OpenEmrOptions(UserModel):
    """What a job asks of OpenEMR beside charts."""

    documents: Filing = Field(
        default="none",
        description="File each person's C-CDA document among the patient's documents. wanted: where the loader has "
        "a sites folder, else they are counted as not mapped; required: refuse persons where it has none. A job "
        "with none leaves documents alone that others filed.",
    )


class _Job(UserModel):
    job_id: JobId | None = Field(default=None, description="Made from the message's place when left out.")
    requester: str = Field(
        default="", max_length=200, description="Who asks; claimed unless it came with a token."
    )


class ExtractJob(_Job):
    """Move OMOP records into targets."""

    kind: Literal["extract"]
    source: Slug = Field(description="Stable slug of the source; every deterministic id depends on it.")
    omop: OmopSource = Field(description="Where the records are.")
    cdm_version: Literal["auto", "5.3", "5.4"] = "auto"
    targets: tuple[Target, ...] = Field(min_length=1)
    persons: Persons = Persons()
    leave_out: tuple[str, ...] = Field(default=(), description="Tables to leave alone.")
    vocabulary: bool = Field(
        default=False, description="Also the whole vocabulary, not only concepts in use."
    )
    names: Names = Field(
        default=Pseudonyms(),
        description="What persons are called, as OMOP has no names: pseudonym (no two alike), synthetic "
        "(plausible; two persons may share one), or column (out of a table of the source).",
    )
    openemr: OpenEmrOptions = Field(default=OpenEmrOptions(), description="For the target openemr.")
    slice_persons: int | None = Field(default=None, ge=1, le=100_000, description="Persons a slice at most.")
    max_record_errors: int | None = Field(
        default=None,
        ge=0,
        description="The job fails when more messages (a person each, or a chunk of reference rows) become "
        "dead letters for one target; left out, 1,000 or 5 % of the persons, whichever is more.",
    )
    dry_run: bool = Field(default=False, description="Compare and count, write nothing.")


class DataFiles(UserModel):
    """The data set as files in a folder of its own, with a manifest and a report."""

    format: Literal["ndjson", "json", "csv", "parquet"] = Field(
        description="A line or an array entry a person as in the records topic, or a file a table of OMOP."
    )
    url: str = Field(min_length=1, description="Folder, local or by fsspec URL, under an allowed root.")
    compression: Literal["none", "gzip", "zstd"] = Field(
        default="none", description="Parquet compresses by itself, with zstd."
    )
    encrypted: bool = Field(default=False, description="With the key file of the generator's settings.")


class GenerateJob(_Job):
    """Make synthetic patients."""

    kind: Literal["generate"]
    source: Slug = Field(description="Stable slug of the data set; every deterministic id depends on it.")
    scenario: str | dict[str, Any] = Field(
        description="Name of a preset (`carebus generate presets`), or a scenario itself."
    )
    total: int | None = Field(default=None, ge=1, description="Patients, in place of the scenario's number.")
    seed: int = Field(default=1, ge=0, lt=2**63, description="The same seed makes the same patients.")
    first_person_id: int = Field(default=1, ge=1, description="person_id of the first patient.")
    targets: tuple[Target, ...] = Field(default=(), description="Where the patients go as records.")
    files: tuple[DataFiles, ...] = Field(default=(), max_length=8, description="Files to write.")
    names: MadeUpNames = Field(
        default=Pseudonyms(), description="What patients are called: pseudonym or synthetic."
    )
    openemr: OpenEmrOptions = Field(default=OpenEmrOptions(), description="For the target openemr.")
    chunk_patients: int = Field(
        default=2_000, ge=100, le=20_000, description="Patients made at a time; changes no patient."
    )
    max_record_errors: int | None = Field(default=None, ge=0, description="As for extract jobs.")
    dry_run: bool = Field(default=False, description="Targets compare and count, and write nothing.")


class RedriveJob(_Job):
    """Send dead letters back where they came from."""

    kind: Literal["redrive"]
    topic: str = Field(description="A dead-letter topic.")
    of_job: JobId | None = Field(default=None, description="Only those of one job.")
    reason: str | None = Field(default=None, description="Only those with this reason.")
    limit: int | None = Field(default=None, ge=1)


class RetireJob(_Job):
    """Remove a person, a job's persons or a whole source from every target."""

    kind: Literal["retire"]
    source: Slug
    persons: tuple[int, ...] = Field(
        default=(), description="These persons; none means by job or the whole source."
    )
    of_job: JobId | None = Field(default=None, description="The persons that this job wrote last.")
    not_in_job: JobId | None = Field(
        default=None,
        description="The persons that this job over the whole source did not mention, nor any newer one.",
    )
    targets: tuple[Target, ...] = Field(min_length=1)
    dry_run: bool = Field(default=False, description="Compare and count, take nothing away.")


JobRequest = Annotated[ExtractJob | GenerateJob | RedriveJob | RetireJob, Field(discriminator="kind")]
JOB_REQUEST: TypeAdapter[ExtractJob | GenerateJob | RedriveJob | RetireJob] = TypeAdapter(JobRequest)
_BRANCHES = ("str", "dict[str,any]")
"""What pydantic calls the kinds of scenario that it tried; no part of a place."""
JOB_KINDS = ("extract", "generate", "redrive", "retire")


class AcceptedJob(WireModel):
    """A job that the console let in; the broker's append time of this message is the job's time."""

    job_id: str
    request: JobRequest
    claimed: bool = Field(default=True, description="The requester's name was not proved by a token.")


class ControlAction(StrEnum):
    """What a person may tell a running job."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"


class JobControl(WireModel):
    """The last word to one job."""

    job_id: str
    action: ControlAction
    discard: bool = Field(default=False, description="With cancel: skip and count what is queued, too.")


class JobStatus(StrEnum):
    """Where a job stands."""

    REJECTED = "rejected"
    ACCEPTED = "accepted"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether nothing more happens by itself."""
        return self in (self.REJECTED, self.COMPLETED, self.FAILED, self.CANCELLED)


class TableCounts(WireModel):
    """Rows of one source table in one slice: read = emitted + the sum of left_behind."""

    read: int = 0
    emitted: int = 0
    left_behind: dict[str, int] = Field(
        default_factory=dict, description="Rows that travel in no bundle, by reason (orphan, malformed, ...)."
    )
    noted: dict[str, int] = Field(
        default_factory=dict,
        description="Rows that do travel but are odd (repeated_id, dangling_visit, unreadable_cell, ...).",
    )


class _Event(WireModel):
    type: str

    @model_serializer(mode="wrap")
    def _with_type(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Keep the discriminator on the wire also where defaults are left out."""
        return {"type": self.type, **handler(self)}


class Accepted(_Event):
    type: Literal["accepted"] = "accepted"
    job_id: str
    request: JobRequest
    claimed: bool = True
    notes: tuple[str, ...] = Field(default=(), description="What a reader of the report should know.")


class Rejected(_Event):
    type: Literal["rejected"] = "rejected"
    job_id: str
    reasons: tuple[str, ...] = Field(
        description="One sentence for each fault: field, and what would be right."
    )


class Planned(_Event):
    """The job is cut into slices. Planning again after a crash says the same."""

    type: Literal["planned"] = "planned"
    job_id: str
    slices: int
    persons: int
    fingerprint: str
    accepted_ms: int = Field(default=0, description="Append time of the accepted job.")
    notes: tuple[str, ...] = Field(default=(), description="What a reader of the report should know.")


class Issued(_Event):
    """Slices 0 to ``up_to`` are in the slice topic."""

    type: Literal["issued"] = "issued"
    job_id: str
    up_to: int


class SliceDone(_Event):
    """One attempt at a slice ended and this is its count."""

    type: Literal["slice_done"] = "slice_done"
    job_id: str
    slice: int
    attempt: str
    messages: int = Field(description="Ordinals 0 to messages - 1 were produced.")
    persons: int = 0
    bytes: int = 0
    duration_ms: int = 0
    version_ms: int = Field(default=0, description="Version v of its messages; 0 where none was sent.")
    tables: dict[str, TableCounts] = Field(default_factory=dict)
    digest: str = Field(
        default="",
        pattern=DIGEST,
        description="Of generated patients: the slice's part of the data set's hash.",
    )


class Waiting(_Event):
    """A stage waits for a system, or (empty ``system``) no longer does."""

    type: Literal["waiting"] = "waiting"
    job_id: str
    stage: str = Field(description="Consumer group that waits.")
    system: str = ""


class Failed(_Event):
    type: Literal["failed"] = "failed"
    job_id: str
    reason: str


class Controlled(_Event):
    """A person's word reached the console."""

    type: Literal["controlled"] = "controlled"
    job_id: str
    action: ControlAction
    discard: bool = False


JobEvent = Annotated[
    Accepted | Rejected | Planned | Issued | SliceDone | Waiting | Failed | Controlled,
    Field(discriminator="type"),
]
JOB_EVENT: TypeAdapter[Accepted | Rejected | Planned | Issued | SliceDone | Waiting | Failed | Controlled] = (
    TypeAdapter(JobEvent)
)


class TargetProgress(WireModel):
    """How one target stands. ``extracted`` closes with the sum of ``outcomes`` when all is done."""

    outcomes: dict[str, int] = Field(default_factory=dict, description="Subjects by outcome.")
    rows_inserted: int = 0
    rows_updated: int = 0
    rows_deleted: int = 0
    persons_retired: int = Field(
        default=0, description="Persons that the retirement of many took, or in a dry run would take."
    )
    tables: dict[str, int] = Field(default_factory=dict, description="Rows written a table.")
    not_mapped: dict[str, dict[str, int]] = Field(
        default_factory=dict, description="Rows by table and reason."
    )
    rows: dict[str, dict[str, int]] = Field(
        default_factory=dict,
        description="Source rows by table and what became of them: written, unchanged, ...",
    )
    lacking: dict[str, dict[str, int]] = Field(
        default_factory=dict, description="Concepts for want of whose mapping rows became nothing, by table."
    )
    reasons: dict[str, int] = Field(default_factory=dict, description="Refusals and dead letters by reason.")


class JobState(WireModel):
    """The fold of a job's events and receipts: what people see."""

    job_id: str
    status: JobStatus
    kind: str = ""
    source: str = ""
    requester: str = ""
    claimed: bool = True
    dry_run: bool = False
    request: JobRequest | None = None
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    created_ms: int = 0
    updated_ms: int = 0
    accepted_ms: int = Field(
        default=0, description="Append time of the accepted job: version v of file sources."
    )
    version_ms: int = Field(default=0, description="Least version v of all that the job sent.")
    finished_ms: int = 0
    fingerprint: str = ""
    persons: int = Field(default=0, description="Persons that the plan found.")
    slices: int = 0
    slices_issued: int = 0
    slices_extracted: int = 0
    slices_complete: int = 0
    extracted: int = Field(
        default=0, description="Messages of finished attempts: persons and reference chunks."
    )
    bytes_extracted: int = Field(default=0, description="Bytes of these messages.")
    bytes_complete: int = Field(default=0, description="Bytes of slices that every target accounted for.")
    tables: dict[str, TableCounts] = Field(default_factory=dict)
    targets: dict[str, TargetProgress] = Field(default_factory=dict)
    digest: str = Field(
        default="",
        description="Of generated patients: the parts of slices so far, added up modulo 2^256; equal for equal "
        "data sets however they were cut.",
    )
    waiting: dict[str, str] = Field(
        default_factory=dict, description="Stage to the system that it waits for."
    )


def parse_request(value: bytes) -> ExtractJob | GenerateJob | RedriveJob | RetireJob:
    """Read what a person wrote.

    Raises:
        InvalidMessage: With one sentence for each fault, parted by newlines.
    """
    try:
        return JOB_REQUEST.validate_json(value)
    except ValidationError as error:
        raise InvalidMessage("\n".join(_sentences(error))) from None


def _sentences(error: ValidationError) -> list[str]:
    sentences = []
    for fault in error.errors(include_url=False, include_input=False):
        place = ".".join(str(p) for p in fault["loc"] if p not in (*JOB_KINDS, *_BRANCHES)) or "the job"
        match fault["type"]:
            case "union_tag_invalid" | "union_tag_not_found":
                context = fault.get("ctx", {})
                given = f" (given: {context['tag']!r})" if "tag" in context else ""
                field = str(context.get("discriminator", "'kind'")).strip("'")
                where = field if place == "the job" else f"{place}.{field}"
                allowed = context.get("expected_tags", ", ".join(JOB_KINDS))
                sentences.append(f"{where}: must be one of {allowed}{given}")
            case "extra_forbidden":
                init = "carebus jobs init" + (" --kind generate" if "generate" in fault["loc"][:1] else "")
                sentences.append(f"{place}: no such field; see `{init}` for the fields there are")
            case "missing":
                sentences.append(f"{place}: is required")
            case "json_invalid":
                sentences.append("the job: is not valid JSON")
            case _:
                sentences.append(f"{place}: {fault['msg'][:1].lower()}{fault['msg'][1:]}")
    return sentences
