"""Orders, reports, results and vitals: how they follow the source, by plans written by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson
import pytest

from carebus_contracts.errors import ConstraintViolated
from carebus_contracts.plans import ReadPlan, encode_plan, encode_write, read_plan
from carebus_contracts.receipts import Result
from carebus_loader.adapters.openemr import OpenEmrTarget
from support.target_suite import put

from .hand_made import ENCOUNTER, PATIENT, uuid_of

Read = Callable[..., list[tuple[Any, ...]]]
ORDER = ("uuid", "procedure_order_type", "date_ordered", "encounter_id", "external_id")
REPORT = ("uuid", "procedure_order_id", "procedure_code", "procedure_name", "procedure_type", "date_report")
RESULT = (
    "uuid", "procedure_report_id", "result_code", "result_text", "date", "result_data_type", "result", "units",
    "range", "abnormal",
)  # fmt: skip
VITALS = ("uuid", "date", "weight", "bps", "temp_method", "external_id", "encounter")
NOON = "2020-03-14 12:00:00"


class Finding(NamedTuple):
    """A finding by hand."""

    name: str
    result: str | None = "5"
    order: int = 1
    visit: int | None = 1


class Vitals(NamedTuple):
    """A row of vitals by hand."""

    weight: str
    visit: int = 1


def a_plan(
    source: str, tests: Mapping[int, Finding] | None = None, vitals: Mapping[int, Vitals] | None = None
) -> ReadPlan:
    """Return the plan of a person with two visits."""

    def uuid(kind: str, number: object) -> str:
        return uuid_of(source, 1, kind, number)

    visits = [[uuid("visit", n), NOON, None, f"visit {n}", "AMB", 5, 11, str(n)] for n in (1, 2)]
    writes = [
        (
            "patient_data",
            PATIENT,
            [[uuid("person", 0), f"{source}:1", "M", "Q", "1958-04-23", "UNK", "", ""]],
        ),
        ("form_encounter", ENCOUNTER, visits),
    ]
    if tests is not None:
        orders = {t.order: uuid("visit", t.visit) if t.visit else None for t in tests.values()}
        writes += [
            (
                "procedure_order.measurement",
                ORDER,
                [[uuid("order", n), "laboratory_test", NOON, at, None] for n, at in orders.items()],
            ),
            (
                "procedure_report.measurement",
                REPORT,
                [
                    [uuid("report", n), uuid("order", t.order), f"{n}-0", t.name, "laboratory_test", NOON]
                    for n, t in tests.items()
                ],
            ),
            (
                "procedure_result.measurement",
                RESULT,
                [
                    [
                        uuid("report", n)[:31] + "1", uuid("report", n), f"{n}-0", t.name, NOON, "N", t.result,
                        "mg/dL", "4-6", "no",
                    ]
                    for n, t in tests.items()
                    if t.result is not None
                ],
            ),
        ]  # fmt: skip
    if vitals is not None:
        writes.append(
            (
                "form_vitals.measurement",
                VITALS,
                [
                    [uuid("vitals", n), NOON, v.weight, None, None, str(n), uuid("visit", v.visit)]
                    for n, v in vitals.items()
                ],
            )
        )
    texts = [
        encode_write(name, columns, sorted(map(orjson.dumps, rows)), of={}) for name, columns, rows in writes
    ]
    return read_plan(encode_plan(target="openemr", source=source, subject="person/1", writes=texts))


@pytest.fixture
def shown(read: Read) -> Callable[[str], list[tuple[Any, ...]]]:
    """``shown(source)``: line, name and result of each report that has a line in an active order, by order."""

    def shown(source: str) -> list[tuple[Any, ...]]:
        # In the order given: after a first load the server believes tables to be small, and would join
        # every line of an order with every report of it.
        return read(
            "SELECT STRAIGHT_JOIN HEX(o.uuid), c.procedure_order_seq, c.procedure_name, s.result FROM patient_data p "
            "JOIN procedure_order o ON o.patient_id = p.pid AND o.activity = 1 "
            "JOIN procedure_report r ON r.procedure_order_id = o.procedure_order_id "
            "JOIN procedure_order_code c FORCE INDEX (PRIMARY) ON c.procedure_order_id = o.procedure_order_id "
            "AND c.procedure_order_seq = r.procedure_order_seq "
            "LEFT JOIN procedure_result s ON s.procedure_report_id = r.procedure_report_id "
            "AND s.result_status = 'final' WHERE p.pubpid = %s AND r.report_status = 'final' ORDER BY 1, 2",
            f"{source}:1",
        )

    return shown


def the_order(source: str, number: int = 1) -> str:
    return uuid_of(source, 1, "order", number).upper()


async def test_lines_of_a_new_order_go_by_name(target: OpenEmrTarget, shown: Any) -> None:
    """Numbered from 1; a test without a value has a report and no result."""
    await put(
        target,
        a_plan("lines", {1: Finding("Sodium"), 2: Finding("Calcium", "9"), 3: Finding("Throat", None)}),
    )

    order = the_order("lines")
    assert shown("lines") == [
        (order, 1, "Calcium", "9"),
        (order, 2, "Sodium", "5"),
        (order, 3, "Throat", None),
    ]


async def test_findings_come_change_and_go(target: OpenEmrTarget, shown: Any, read: Read) -> None:
    """Others keep their numbers; a number is not given again; what comes back has its own."""
    order = the_order("moving")
    await put(target, a_plan("moving", {1: Finding("B"), 2: Finding("C")}))

    changed = await put(
        target, a_plan("moving", {1: Finding("B", "6"), 2: Finding("C"), 3: Finding("A")}), v=2
    )
    assert shown("moving") == [(order, 1, "B", "6"), (order, 2, "C", "5"), (order, 3, "A", "5")]
    assert (changed.inserted, changed.updated, changed.deleted) == (2, 1, 0)

    await put(target, a_plan("moving", {1: Finding("B", "6"), 2: Finding("C")}), v=3)
    assert shown("moving") == [(order, 1, "B", "6"), (order, 2, "C", "5")]
    gone = read(
        "SELECT r.report_status, s.result_status FROM procedure_report r JOIN procedure_result s "
        "ON s.procedure_report_id = r.procedure_report_id WHERE r.uuid = UNHEX(%s)",
        uuid_of("moving", 1, "report", 3),
    )
    assert gone == [("error", "error")]

    await put(target, a_plan("moving", {1: Finding("B", "6"), 2: Finding("C"), 4: Finding("D")}), v=4)
    assert shown("moving") == [(order, 1, "B", "6"), (order, 2, "C", "5"), (order, 4, "D", "5")]

    everything = {1: Finding("B", "6"), 2: Finding("C"), 3: Finding("A"), 4: Finding("D")}
    await put(target, a_plan("moving", everything), v=5)
    assert shown("moving") == [
        (order, 1, "B", "6"), (order, 2, "C", "5"), (order, 3, "A", "5"), (order, 4, "D", "5"),
    ]  # fmt: skip
    assert (await put(target, a_plan("moving", everything), v=6)).result is Result.UNCHANGED


async def test_a_finding_of_another_day_moves_to_its_order(
    target: OpenEmrTarget, shown: Any, read: Read
) -> None:
    """Its old line goes, and an order without findings is taken back with its form."""
    await put(target, a_plan("moved", {1: Finding("A"), 2: Finding("B", order=2)}))

    await put(target, a_plan("moved", {1: Finding("A"), 2: Finding("B")}), v=2)

    order = the_order("moved")
    assert shown("moved") == [(order, 1, "A", "5"), (order, 2, "B", "5")]
    assert read(
        "SELECT o.activity, f.deleted FROM procedure_order o JOIN forms f ON f.form_id = o.procedure_order_id "
        "AND f.formdir = 'procedure_order' WHERE o.uuid = UNHEX(%s)",
        the_order("moved", 2),
    ) == [(0, 1)]
    lines = read(
        "SELECT COUNT(*) FROM procedure_order_code c JOIN procedure_order o USING (procedure_order_id) "
        "WHERE o.uuid = UNHEX(%s)",
        the_order("moved", 2),
    )
    assert lines == [(0,)]


async def test_orders_without_a_visit_have_no_form(target: OpenEmrTarget, shown: Any, read: Read) -> None:
    """One that comes to belong to a visit gets a form, and loses it again."""
    form = (
        "SELECT f.deleted, e.reason FROM forms f JOIN procedure_order o ON f.form_id = o.procedure_order_id "
        "AND f.formdir = 'procedure_order' LEFT JOIN form_encounter e ON e.encounter = f.encounter "
        "WHERE o.uuid = UNHEX(%s)"
    )
    order = the_order("nowhere")

    await put(target, a_plan("nowhere", {1: Finding("A", visit=None)}))
    assert shown("nowhere") == [(order, 1, "A", "5")]
    assert read(form, order) == []

    await put(target, a_plan("nowhere", {1: Finding("A", visit=2)}), v=2)
    assert read(form, order) == [(0, "visit 2")]

    await put(target, a_plan("nowhere", {1: Finding("A", visit=None)}), v=3)
    assert read(form, order) == [(1, None)]


async def test_vitals_come_change_and_go(target: OpenEmrTarget, read: Read) -> None:
    """Each row has its form and its fifteen mappings, whatever way it came; a removed one is inactive."""
    state = (
        "SELECT v.weight, v.activity, e.reason, f.deleted, (SELECT COUNT(*) FROM uuid_mapping m "
        "JOIN uuid_registry u ON u.uuid = m.uuid AND u.mapped = 1 WHERE m.target_uuid = v.uuid) "
        "FROM patient_data p JOIN form_vitals v ON v.pid = p.pid JOIN forms f ON f.form_id = v.id "
        "AND f.formdir = 'vitals' AND f.pid = p.pid JOIN form_encounter e ON e.encounter = f.encounter "
        "WHERE p.pubpid = 'vital:1' ORDER BY v.external_id"
    )

    def now() -> list[tuple[Any, ...]]:
        return [(str(weight.normalize()), *rest) for weight, *rest in read(state)]

    await put(target, a_plan("vital", vitals={1: Vitals("150.5")}))
    assert now() == [("150.5", 1, "visit 1", 0, 15)]

    await put(target, a_plan("vital", vitals={1: Vitals("151.5", visit=2), 2: Vitals("99")}), v=2)
    assert now() == [("151.5", 1, "visit 2", 0, 15), ("99", 1, "visit 1", 0, 15)]

    await put(target, a_plan("vital", vitals={2: Vitals("99")}), v=3)
    assert now() == [("151.5", 0, "visit 2", 1, 15), ("99", 1, "visit 1", 0, 15)]

    await put(target, a_plan("vital", vitals={1: Vitals("151.5"), 2: Vitals("99")}), v=4)
    assert now() == [("151.5", 1, "visit 1", 0, 15), ("99", 1, "visit 1", 0, 15)]


async def test_report_of_no_order_is_refused(target: OpenEmrTarget) -> None:
    """In words that say which."""
    plan = a_plan("orphan", {1: Finding("A")})
    reports = [w for w in plan.writes if w.table != "procedure_order.measurement"]

    with pytest.raises(ConstraintViolated, match="refers to a procedure_order that is not there"):
        await put(
            target, ReadPlan(target="openemr", source="orphan", subject="person/1", writes=tuple(reports))
        )


async def test_an_order_of_ten_thousand_lines(target: OpenEmrTarget, shown: Any) -> None:
    """A person with very many findings loads in one piece, and again without a change."""
    tests = {n: Finding(f"test {n:05d}") for n in range(10_000)}

    first = await put(target, a_plan("many", tests, {n: Vitals("100") for n in range(2_000)}))
    again = await put(target, a_plan("many", tests, {n: Vitals("100") for n in range(2_000)}), v=2)

    assert (first.inserted, again.result) == (1 + 2 + 1 + 20_000 + 2_000, Result.UNCHANGED)
    assert [line for _, line, _, _ in shown("many")] == list(range(1, 10_001))


async def test_lists_of_several_kinds_in_one_batch(target: OpenEmrTarget, read: Read) -> None:
    """Devices and problems have other columns, and come in any order."""
    device = (
        "uuid",
        "type",
        "title",
        "diagnosis",
        "verification",
        "begdate",
        "enddate",
        "udi",
        "external_id",
    )
    problem = (
        "uuid", "type", "title", "diagnosis", "verification", "begdate", "enddate", "outcome", "external_id",
        "encounter",
    )  # fmt: skip

    def plans(title: str) -> list[ReadPlan]:
        def with_rows(n: int, write: str, columns: tuple[str, ...], cells: list[Any]) -> ReadPlan:
            row = [uuid_of(f"kinds{n}", 1, write, 1), *cells]
            text = encode_write(write, columns, [orjson.dumps(row)], of={})
            return read_plan(
                encode_plan(
                    target="openemr",
                    source=f"kinds{n}",
                    subject="person/1",
                    writes=[patient(f"kinds{n}"), text],
                )
            )

        return [
            with_rows(
                1, "lists.device_exposure", device,
                ["medical_device", f"{title} device", "", "", NOON, None, "(01)1", "1"],
            ),
            with_rows(
                2, "lists.condition_occurrence", problem,
                ["medical_problem", f"{title} problem", "", "confirmed", NOON, None, 0, "1", None],
            ),
        ]  # fmt: skip

    await put(target, *plans("old"))
    await put(target, *plans("new"), v=2)

    assert read(
        "SELECT l.title, l.udi, l.activity, l.outcome FROM lists l JOIN patient_data p ON p.pid = l.pid "
        "WHERE p.pubpid IN ('kinds1:1', 'kinds2:1') ORDER BY 1"
    ) == [("new device", "(01)1", 1, 0), ("new problem", None, 1, 0)]


def patient(source: str) -> bytes:
    row = [uuid_of(source, 1, "person", 0), f"{source}:1", "M", "Q", "1958-04-23", "UNK", "", ""]
    return encode_write("patient_data", PATIENT, [orjson.dumps(row)], of={})


async def test_tests_are_known_by_name_once(target: OpenEmrTarget, read: Read) -> None:
    """OpenEMR's FHIR would double each report of a test that is there twice."""
    await put(target, a_plan("known", {770: Finding("Known")}))
    await put(target, a_plan("known-too", {770: Finding("Known")}))

    assert read("SELECT COUNT(*) FROM procedure_type WHERE procedure_code = '770-0'") == [(1,)]
