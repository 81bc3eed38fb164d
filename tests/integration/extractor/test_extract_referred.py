"""What bundles carry of PROVIDER, CARE_SITE, LOCATION and names, against a query over the same data."""

from __future__ import annotations

from collections import defaultdict

import duckdb
import pytest

from carebus_contracts.errors import JobError
from carebus_contracts.omop.bundle import GivenName
from carebus_extractor.adapters import open_source
from unit.extractor.extracting import Extracted, extract

from .conftest import FourSources

KINDS = ("duckdb", "csv", "parquet", "postgres")
WITH_PROVIDER = (
    "visit_occurrence",
    "visit_detail",
    "condition_occurrence",
    "drug_exposure",
    "procedure_occurrence",
    "measurement",
    "observation",
    "device_exposure",
)


@pytest.fixture(scope="module")
def expected(synthea_with_sites: FourSources) -> dict[str, dict[int, set[int]]]:
    """By table and person the ids that a reader who knows the CDM would gather."""
    providers = " UNION ALL ".join(f"SELECT person_id, provider_id AS p FROM {t}" for t in WITH_PROVIDER)
    found: dict[str, dict[int, set[int]]] = {}
    with duckdb.connect(str(synthea_with_sites.folder / "cdm.db"), read_only=True) as database:
        for table, query in {
            "provider": f"SELECT person_id, p FROM ({providers}) WHERE p IS NOT NULL",
            "care_site": "SELECT person_id, care_site_id FROM visit_occurrence WHERE care_site_id IS NOT NULL "
            f"UNION ALL SELECT v.person_id, p.care_site_id FROM ({providers}) v JOIN provider p "
            "ON p.provider_id = v.p",
        }.items():
            of_person = found[table] = defaultdict(set)
            for person_id, key in database.execute(query).fetchall():
                of_person[person_id].add(key)
        sites = dict(database.execute("SELECT care_site_id, location_id FROM care_site").fetchall())
        home = dict(database.execute("SELECT person_id, location_id FROM person").fetchall())
    found["location"] = {p: {i} | {sites[s] for s in found["care_site"].get(p, ())} for p, i in home.items()}
    return found


@pytest.fixture(scope="module", params=KINDS)
def out(request: pytest.FixtureRequest, synthea_with_sites: FourSources) -> Extracted:
    """The data set out of each kind of source."""
    return extract(synthea_with_sites.job(request.param), synthea_with_sites.settings)


def test_each_bundle_carries_what_its_rows_refer_to(
    out: Extracted, expected: dict[str, dict[int, set[int]]]
) -> None:
    """Providers, sites and places of every person are those that an independent query finds."""
    bundles = out.bundles

    assert len(bundles) == 28
    for bundle in bundles:
        assert set(bundle.provider) == expected["provider"].get(bundle.person_id, set())
        assert set(bundle.care_site) == expected["care_site"].get(bundle.person_id, set())
        assert set(bundle.location) == expected["location"][bundle.person_id]
        assert all(p.specialty_concept_id in bundle.concept for p in bundle.provider.values())


def test_every_source_gives_the_same_bytes(out: Extracted, synthea_with_sites: FourSources) -> None:
    """However the data are kept."""
    assert out.values == extract(synthea_with_sites.job("duckdb"), synthea_with_sites.settings).values


def test_gibleed_bundles_carry_nothing_more(gibleed: FourSources) -> None:
    """Its tables of providers, sites and places are empty: no byte tells of them."""
    job = gibleed.job("duckdb", persons={"limit": 100})

    assert all(b'"refers"' not in value for value in extract(job, gibleed.settings).values)


@pytest.mark.parametrize("kind", KINDS)
def test_names_come_out_of_every_kind_of_source(kind: str, synthea_with_sites: FourSources) -> None:
    """A table beside PERSON gives each slice the names of its persons; two of the 28 have none."""
    names = {
        "mode": "column",
        "table": "person_names",
        "given": "first name",
        "family": "LAST",
        "email": "mail",
    }

    out = extract(synthea_with_sites.job(kind, names=names, slice_persons=10), synthea_with_sites.settings)

    for bundle in out.bundles:
        i = bundle.person_id
        known = GivenName(given=f"Given{i}", family=f"Family{i}", email=f"{i}@example.org")
        assert bundle.name == (known if i > 2 else None)
    assert len(out.plan.ranges) == 3
    assert [note for note in out.plan.notes if note.startswith("names")] == [
        "names: 2 of 28 persons have neither a given nor a family name in person_names; "
        "they keep their pseudonyms"
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_names_that_are_not_there_fail_the_plan(kind: str, synthea_with_sites: FourSources) -> None:
    """The same sentences from every kind of source."""
    for change, sentence in (
        ({"table": "people"}, "names.table: the source has no people; it has "),
        ({"given": "nick"}, " has no column nick; it has person_id, first name, last, mail"),
    ):
        names = {"mode": "column", "table": "person_names", "given": "last", "family": "last"} | change
        job = synthea_with_sites.job(kind, names=names)
        with pytest.raises(JobError) as refused:
            open_source(job.omop, synthea_with_sites.settings).plan(job)
        assert sentence in str(refused.value)
