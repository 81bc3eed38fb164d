"""Which persons and tables a job asks for."""

from __future__ import annotations

from hashlib import sha256
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carebus_contracts.omop.death import Death
from carebus_extractor.adapters import open_source
from carebus_extractor.domain.slicing import SliceRange

from .extracting import extract, read_all


def ids(out: Any) -> list[int]:
    """The persons that came out, in order."""
    return [bundle.person_id for bundle in out.bundles]


def test_all_persons_come_in_order(folder: Any) -> None:
    """Ranges are open at both ends and leave no gap."""
    folder.persons(30, 10, -5, 20)

    out = folder.extract(slice_persons=2)

    assert ids(out) == [-5, 10, 20, 30]
    assert [(r.after, r.up_to, r.persons) for r in out.plan.ranges] == [(None, 10, 2), (10, None, 2)]


def test_limit_takes_the_first_persons(folder: Any) -> None:
    """The last range ends at the last person, so that nobody else's rows are counted."""
    folder.persons(1, 2, 3, 4)
    folder.write("death.csv", "person_id\n1\n2\n3\n9")

    out = folder.extract(persons={"limit": 2}, slice_persons=1)

    assert ids(out) == [1, 2]
    assert out.tables["death"].read == 2


def test_start_after_skips_persons(folder: Any) -> None:
    """Rows of persons up to it are not read at all."""
    folder.persons(1, 2, 3)
    folder.write("death.csv", "person_id\n1\n2\n3\n9")

    out = folder.extract(persons={"start_after": 1, "limit": 5})

    assert ids(out) == [2, 3]
    assert (out.tables["death"].read, out.tables["death"].left_behind) == (3, {"orphan": 1})


def test_named_persons_come_alone(folder: Any) -> None:
    """Slices name them; who is not there is noted, and rows between them are nobody's business."""
    folder.persons(1, 2, 3, 4)
    folder.write("death.csv", "person_id\n1\n2\n3\n4")

    out = folder.extract(persons={"ids": [4, 1, 77, 4, 3]}, slice_persons=2)

    assert ids(out) == [1, 3, 4]
    assert [r.ids for r in out.plan.ranges] == [(1, 3), (4,)]
    assert out.tables["death"].read == 3
    assert any(note.startswith("1 of the persons named are not in the source") for note in out.plan.notes)


def test_sample_is_chosen_by_the_hash_of_the_id(folder: Any) -> None:
    """The same persons every time, and a larger share holds the smaller one's."""
    everybody = range(1, 301)
    folder.persons(*everybody)

    tenth, third = ids(folder.extract(persons={"sample": 0.1})), ids(folder.extract(persons={"sample": 0.34}))

    assert tenth == [i for i in everybody if int(sha256(b"%d" % i).hexdigest()[:13], 16) < int(0.1 * 16**13)]
    assert 10 < len(tenth) < 60
    assert set(tenth) < set(third)


def test_tables_can_be_left_out(folder: Any) -> None:
    """They are neither read, counted nor covered."""
    folder.persons(1)
    folder.write("death.csv", "person_id\n1")

    out = folder.extract(leave_out=["death"])

    assert out.bundle(1).covers == ("person",)
    assert out.bundle(1).rows(Death) == []
    assert list(out.tables) == ["person"]


def test_concepts_in_use_are_those_of_all_persons(folder: Any) -> None:
    """A job over a few persons, or without a table, takes no concept away that others use."""
    folder.persons(1, 2)
    folder.write("concept.csv", "concept_id,concept_name\n100,a\n200,b\n300,c\n7000,d")
    folder.write("death.csv", "person_id,cause_concept_id\n1,100\n2,200")

    some = folder.extract(persons={"ids": [1]}, leave_out=["death"])
    whole = folder.extract(persons={"ids": [1]}, vocabulary=True)

    assert [c.concept_id for c in some.records("concept")] == [100, 200]
    assert [c.concept_id for c in whole.records("concept")] == [100, 200, 300, 7000]
    assert [chunk.chunk for chunk in whole.reference if chunk.table == "concept"] == [0, 1]
    assert {chunk.complete for chunk in whole.reference} == {True}
    assert {chunk.complete for chunk in some.reference} == {False}


def test_reference_tables_are_sent_with_every_job(folder: Any) -> None:
    """Providers, sites, places and the source's own description; vocabulary tables when asked for."""
    folder.persons(1)
    folder.write("provider.csv", "provider_id,provider_name\n1,Dr A\n12000,Dr B\n,nobody")
    folder.write("location.csv", "location_id,city\n-3,Bern")
    folder.write("cdm_source.csv", "cdm_source_name,cdm_version\nWard,5.4.1")
    folder.write("metadata.csv", "name,value_as_string\nb,2\na,1")
    folder.write("vocabulary.csv", "vocabulary_id,vocabulary_name\nSNOMED,x")

    out = folder.extract()

    assert [(c.table, c.chunk) for c in out.reference] == [
        ("location", -1),
        ("provider", 0),
        ("provider", 2),
        ("cdm_source", 0),
        ("metadata", 0),
    ]
    assert all(chunk.complete for chunk in out.reference)
    assert out.reference_tables["provider"].left_behind == {"malformed": 1}
    assert [(m.metadata_id, m.name) for m in out.records("metadata")] == [(1, "a"), (2, "b")]
    assert out.plan.cdm_version == "5.4"
    assert [v.vocabulary_id for v in folder.extract(vocabulary=True).records("vocabulary")] == ["SNOMED"]


def test_the_job_may_say_the_version(folder: Any) -> None:
    """What the job says counts more than what the source says."""
    folder.persons(1)
    folder.write("cdm_source.csv", "cdm_source_name,cdm_version\nWard,5.4")

    out = folder.extract(cdm_version="5.3")

    assert (out.plan.cdm_version, out.bundle(1).cdm_version, out.reference[0].cdm_version) == ("5.3",) * 3


def test_source_without_persons_has_one_range(folder: Any) -> None:
    """So that the rows of nobody are counted."""
    folder.write("person.csv", "person_id,year_of_birth")
    folder.write("death.csv", "person_id\n1")

    out = folder.extract()

    assert (out.plan.persons, len(out.plan.ranges)) == (0, 1)
    assert out.tables["death"].left_behind == {"orphan": 1}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.sets(st.integers(-3, 25), max_size=5))
def test_slices_cut_anywhere_give_the_same_bundles(folder: Any, cuts: set[int]) -> None:
    """Also between persons, where only orphans are, and beyond all of them."""
    if not list(folder.path.iterdir()):
        folder.persons(*range(2, 20, 3))
        rows = "\n".join(f"{i % 7},{i % 23 or ''},{i % 2}" for i in range(60))
        folder.write("note.csv", f"note_id,person_id,visit_occurrence_id\n{rows}\nx,5,\ny,,")
        folder.write("visit_occurrence.csv", "visit_occurrence_id,person_id\n0,2\n1,5\n1,8")
    job = folder.job()
    whole = extract(job, folder.settings)
    plan = open_source(job.omop, folder.settings).plan(job)
    borders: list[Any] = [None, *sorted(cuts), None]

    out = read_all(plan, [SliceRange(a, b, 0) for a, b in pairwise(borders)], job, folder.settings)

    assert out.values == whole.values
    assert out.tables == whole.tables
    assert whole.tables["note"].read == 62
    assert whole.tables["note"].left_behind == {"malformed": 1, "no_person_id": 4, "orphan": 41}
