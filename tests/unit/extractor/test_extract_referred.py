"""Providers, sites and places travel in the bundles of the persons whose rows refer to them."""

from __future__ import annotations

from .conftest import Folder


def a_hospital(folder: Folder) -> None:
    """Two persons; the first has places, the second none."""
    folder.write(
        "person.csv",
        """person_id,year_of_birth,location_id,provider_id,care_site_id
        1,1950,30,,
        2,1960,,,""",
    )
    folder.write(
        "visit_occurrence.csv",
        """visit_occurrence_id,person_id,visit_start_date,provider_id,care_site_id
        1,1,2020-01-01,12,
        2,1,2020-01-02,11,20
        3,9,2020-01-02,13,""",
    )
    folder.write(
        "provider.csv",
        """provider_id,provider_name,npi,specialty_concept_id,care_site_id
        12,Second,,38004446,
        11,First,1234567893,38004456,21
        13,Third,,38004446,""",
    )
    folder.write(
        "care_site.csv",
        """care_site_id,care_site_name,place_of_service_concept_id,location_id
        20,Ward,8717,
        21,Clinic,8756,31
        22,Nobody's,8756,31""",
    )
    folder.write("location.csv", "location_id,city,state\n30,Home,MA\n31,Work,ME\n32,Else,NH")
    folder.write(
        "concept.csv",
        """concept_id,concept_name,domain_id,vocabulary_id,concept_class_id,concept_code
        38004446,General Practice,Provider,Medicare Specialty,Physician Specialty,01
        38004456,Internal Medicine,Provider,Medicare Specialty,Physician Specialty,11
        8717,Inpatient Hospital,Visit,CMS Place of Service,Visit,21
        8756,Outpatient Hospital,Visit,CMS Place of Service,Visit,22""",
    )


def test_what_rows_refer_to_is_resolved_to_its_end(folder: Folder) -> None:
    """Rows by id: the visit's providers, their site too, its place too, and the concepts of all of these."""
    a_hospital(folder)

    bundle = folder.extract().bundle(1)

    assert [(p.provider_id, p.provider_name) for p in bundle.provider.values()] == [
        (11, "First"),
        (12, "Second"),
    ]
    assert [(s.care_site_id, s.care_site_name) for s in bundle.care_site.values()] == [
        (20, "Ward"),
        (21, "Clinic"),
    ]
    assert [(p.location_id, p.city) for p in bundle.location.values()] == [(30, "Home"), (31, "Work")]
    assert sorted(bundle.concept) == [8717, 8756, 38004446, 38004456]


def test_who_refers_to_nothing_gets_nothing(folder: Folder) -> None:
    """The second person's bundle has no such part at all, nor have bundles of a source without the tables."""
    a_hospital(folder)

    out = folder.extract()
    bare = folder.extract(leave_out=["provider", "care_site", "location"])

    assert out.bundle(2).refers is None
    assert all(b'"refers"' not in value for value in bare.values)


def test_reference_chunks_hold_their_concepts(folder: Folder) -> None:
    """Concepts of all providers and sites are in use, whoever refers to them."""
    a_hospital(folder)

    out = folder.extract()

    assert [c.concept_id for c in out.records("concept")] == [8717, 8756, 38004446, 38004456]


def test_ids_that_nobody_knows_are_left_out(folder: Folder) -> None:
    """A dangling provider is no row; of two rows with one id the first by content stands."""
    folder.write("person.csv", "person_id,year_of_birth,provider_id\n1,1950,11\n2,1950,12")
    folder.write("provider.csv", "provider_id,provider_name\n12,B\n12,A")

    out = folder.extract()

    assert out.bundle(1).refers is None
    assert [p.provider_name for p in out.bundle(2).provider.values()] == ["A"]


def test_bytes_do_not_depend_on_the_order_of_rows(folder: Folder) -> None:
    """The same rows in another order give the same bundles."""
    a_hospital(folder)
    before = folder.extract().values
    for name in ("provider", "care_site", "location", "visit_occurrence"):
        head, *rows = (folder.path / f"{name}.csv").read_text().splitlines()
        folder.write(f"{name}.csv", "\n".join([head, *reversed(rows)]))

    assert folder.extract().values == before
