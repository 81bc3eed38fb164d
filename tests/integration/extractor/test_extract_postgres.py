"""Postgres as a source: refusals, rights, snapshots and costs."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from carebus_contracts.errors import JobError, SourceUnavailable
from carebus_contracts.omop.cost import Cost
from carebus_contracts.omop.death import Death
from carebus_extractor.adapters import open_source
from carebus_extractor.settings import ExtractorSettings, PostgresConnection
from unit.extractor.extracting import extract, slice_of

from .conftest import a_job, run_sql

SCHEMA = f"carebus_test_extract_{os.getpid()}"
READER = f"carebus_test_reader_{os.getpid()}"


@pytest.fixture
def schema(connection: PostgresConnection) -> Iterator[Any]:
    """A schema of its own, filled by the test."""

    def fill(sql: str) -> None:
        asyncio.run(run_sql(connection, f"SET search_path = {SCHEMA}; {sql}"))

    asyncio.run(run_sql(connection, f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}"))
    yield fill
    asyncio.run(run_sql(connection, f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))


@pytest.fixture
def settings(connection: PostgresConnection, tmp_path: Any) -> ExtractorSettings:
    """Settings with one connection."""
    return ExtractorSettings(stage_dir=tmp_path / "stage", connections={"lab": connection})


def job(**options: Any) -> Any:
    """A job that reads the schema."""
    return a_job({"format": "postgres", "connection": "lab", "schema": SCHEMA}, **options)


def refused(settings: ExtractorSettings, **change: Any) -> str:
    """The sentence with which a plan fails, after a change of the connection."""
    lab = settings.connections["lab"].model_copy(update=change)
    with pytest.raises(JobError) as caught:
        open_source(job().omop, settings.model_copy(update={"connections": {"lab": lab}})).plan(job())
    return str(caught.value)


def test_what_cannot_be_read_is_refused(schema: Any, settings: ExtractorSettings) -> None:
    """Schema, tables, columns, types: each fault has its sentence."""
    nowhere = settings.model_copy()

    assert refused(nowhere) == f"schema '{SCHEMA}' has no person table (no CDM table was found)"
    schema("CREATE TABLE death (person_id int)")
    assert refused(nowhere) == f"schema '{SCHEMA}' has no person table (found: death)"
    schema("CREATE TABLE person (id int)")
    assert refused(nowhere).startswith("person does not fit person: its first line names no column")
    schema("DROP TABLE person; CREATE TABLE person (person_id text)")
    assert refused(nowhere) == "person_id of person is of type text; a whole number is needed"


def test_wrong_credentials_are_refused(settings: ExtractorSettings) -> None:
    """The sentence names the connection and never the password."""
    wrong = PostgresConnection.model_validate({"host": "h", "database": "d", "user": "u", "password": "no"})

    sentence = refused(settings, password=wrong.password, password_file=None)
    no_database = refused(settings, database="nowhere")

    assert sentence == "connection 'lab': the server refuses the user or its password"
    assert no_database == "connection 'lab': the server has no database 'nowhere'"


def test_server_that_does_not_answer_is_waited_for(settings: ExtractorSettings) -> None:
    """That is no fault of the job."""
    lab = settings.connections["lab"].model_copy(update={"port": 9})
    away = settings.model_copy(update={"connections": {"lab": lab}})

    with pytest.raises(SourceUnavailable, match="does not answer") as caught:
        open_source(job().omop, away).plan(job())

    assert caught.value.system == f"postgres at {lab.host}:9"


def test_reader_needs_no_more_than_select(
    schema: Any, settings: ExtractorSettings, connection: PostgresConnection
) -> None:
    """A role with SELECT reads all; one without it is told the table."""
    schema("CREATE TABLE person (person_id int); INSERT INTO person VALUES (1)")
    schema("CREATE TABLE death (person_id int)")
    asyncio.run(
        run_sql(
            connection,
            f"DROP ROLE IF EXISTS {READER}; CREATE ROLE {READER} LOGIN PASSWORD 'reader'; "
            f"GRANT USAGE ON SCHEMA {SCHEMA} TO {READER}; "
            f"GRANT SELECT ON {SCHEMA}.person TO {READER}",
        )
    )
    reader = PostgresConnection.model_validate(
        {
            "host": connection.host,
            "port": connection.port,
            "database": connection.database,
            "user": READER,
            "password": "reader",
        }
    )
    theirs = settings.model_copy(update={"connections": {"lab": reader}})
    try:
        with pytest.raises(JobError, match=f"has no right to read {SCHEMA}.death"):
            extract(job(), theirs)
        schema(f"GRANT SELECT ON death TO {READER}")
        assert len(extract(job(), theirs).values) == 1
    finally:
        asyncio.run(run_sql(connection, f"DROP OWNED BY {READER}; DROP ROLE {READER}"))


def test_version_is_when_the_snapshot_began(schema: Any, settings: ExtractorSettings) -> None:
    """Each slice has its own; it lies between asking and answering."""
    schema("CREATE TABLE person (person_id int); INSERT INTO person VALUES (1), (2)")
    before = int(time.time() * 1000)

    out = extract(job(slice_persons=1), settings)

    assert len(out.versions) == 2
    assert before - 1000 <= min(out.versions) <= max(out.versions) <= int(time.time() * 1000) + 1000


def test_slice_sees_one_state(schema: Any, settings: ExtractorSettings) -> None:
    """What is committed after a slice began to yield does not show in it."""
    schema("CREATE TABLE person (person_id int); INSERT INTO person VALUES (1), (2)")
    schema(
        "CREATE TABLE death (person_id int, cause_concept_id int); INSERT INTO death VALUES (1, 5), (2, 5)"
    )
    asked = job()
    plan = open_source(asked.omop, settings).plan(asked)
    source = open_source(asked.omop, settings)
    reading = source.read_slice(slice_of(plan, asked, plan.ranges[0], 1))

    first = next(reading).value
    schema("UPDATE death SET cause_concept_id = 6")
    second = next(reading).value

    assert b"null,5,null" in first
    assert b"null,5,null" in second


def test_costs_find_their_person_in_the_database(schema: Any, settings: ExtractorSettings) -> None:
    """Across slices, with orphans and events of several persons counted once."""
    schema(
        """
        CREATE TABLE person (person_id int); INSERT INTO person VALUES (1), (2);
        CREATE TABLE drug_exposure (drug_exposure_id int, person_id int);
        INSERT INTO drug_exposure VALUES (7, 1), (9, 1), (9, 2), (11, 5);
        CREATE TABLE visit_occurrence (visit_occurrence_id int, person_id int);
        INSERT INTO visit_occurrence VALUES (7, 2);
        CREATE TABLE cost (cost_id int, cost_event_id int, cost_domain_id text, total_cost numeric);
        INSERT INTO cost VALUES (1, 7, 'Drug', 10.25), (2, 7, 'Visit', 20), (3, 8, 'Drug', 30),
          (4, 9, 'Drug', 40), (5, 7, 'Planet', 50), (6, 7, 'drug_exposure', 60), (7, 11, 'Drug', 70)
        """
    )

    out = extract(job(slice_persons=1), settings)

    assert [(c.cost_id, c.total_cost) for c in out.bundle(1).rows(Cost)] == [(1, 10.25), (6, 60.0)]
    assert [c.cost_id for c in out.bundle(2).rows(Cost)] == [2]
    assert out.tables["cost"].read == 7
    assert out.tables["cost"].left_behind == {"ambiguous_event": 1, "orphan": 3}


def test_odd_values_of_the_server_are_read(schema: Any, settings: ExtractorSettings) -> None:
    """Infinity, years before Christ, NaN, time zones, empty text: NULL, and noted."""
    schema(
        """
        CREATE TABLE "CDM_Persons" ("PERSON_ID" numeric); INSERT INTO "CDM_Persons" VALUES (1);
        CREATE TABLE death
          (person_id bigint, death_date date, death_datetime timestamptz, cause_source_value text);
        INSERT INTO death VALUES (1, 'infinity', '2001-02-03 04:05:06+02', ''),
          (1, '0044-03-15 BC', NULL, E'a\\tb\\n"c"'), (NULL, '2001-01-01', NULL, 'x')
        """
    )

    out = extract(job(), settings)

    assert [
        (d.death_date, d.death_datetime and d.death_datetime.isoformat(), d.cause_source_value)
        for d in out.bundle(1).rows(Death)
    ] == [(None, "2001-02-03T02:05:06", None), (None, None, 'a\tb\n"c"')]
    assert out.tables["death"].noted == {"repeated_id": 1, "unreadable_cell": 2}
    assert out.tables["death"].left_behind == {"no_person_id": 1}
