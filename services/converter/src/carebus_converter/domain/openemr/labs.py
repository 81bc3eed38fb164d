"""Findings as orders, with a code and a report for each test, and a result where there is a value.

OMOP names no panels, so the findings of one encounter and day make one order. OpenEMR shows a result only
inside of a report, and a report only with a line of an order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_converter.domain.openemr.cells import NULL, shortened, text
from carebus_converter.domain.openemr.chart import Chart
from carebus_converter.domain.openemr.codes import bare_code, code_of, title_of
from carebus_converter.domain.ucum import ucum_code

ORDERS = ("uuid", "procedure_order_type", "date_ordered", "encounter_id", "external_id", "provider")
REPORTS = ("uuid", "procedure_order_id", "procedure_code", "procedure_name", "procedure_type", "date_report")
RESULTS = (
    "uuid",
    "procedure_report_id",
    "result_code",
    "result_text",
    "date",
    "result_data_type",
    "result",
    "units",
    "range",
    "abnormal",
)

LABORATORY = '"laboratory_test"'
"""The order type by which FHIR finds laboratory results."""
RESULT_ROW = "1"
"""Last digit of the uuid of a report's result; the report's own is 0."""

_SIGNS = {4171756: "<", 4171754: "<=", 4172704: ">", 4171755: ">="}
"""Standard concepts of the domain Meas Value Operator."""
_HIDDEN = {"DNR": "Do not report (DNR)", "TNP": "Test not performed (TNP)"}
"""OpenEMR leaves out results with just these words."""


@dataclass(slots=True)
class Value:
    """What was found, as OMOP has it."""

    amount: float | None
    answer: str | None
    """Name of the concept that is the answer."""
    words: str | None
    unit: ConceptInUse | None
    unit_words: str | None
    operator_id: int | None = None
    low: float | None = None
    high: float | None = None

    @property
    def empty(self) -> bool:
        """Whether there is nothing to show."""
        return self.amount is None and not self.answer and not (self.words and self.words.strip())


@dataclass(slots=True)
class Findings:
    """Gathers the findings of one OMOP table."""

    chart: Chart
    table: str
    reports: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    _orders: dict[tuple[str, date], tuple[str, str]] = field(default_factory=dict)
    _providers: dict[tuple[str, date], str] = field(default_factory=dict)
    """NULL for orders with findings of several providers."""

    def add(
        self,
        record_id: int,
        copy: int,
        *,
        test: str,
        on: date,
        when: str,
        encounter: str,
        provider: str,
        value: Value,
    ) -> None:
        """Put one finding.

        Args:
            record_id: Of the row.
            copy: Which of several rows with this id.
            test: From ``test_of``.
            on: The day.
            when: Cell of its moment.
            encounter: Cell of its encounter.
            provider: Cell of its provider.
            value: What was found; when it is empty there is a report and no result.
        """
        known = self._orders.get((encounter, on))
        if known is None:
            order = self.chart.ids.uuid(f"{self.table} order:{encounter}", on.toordinal())
            self._orders[encounter, on] = order, when
        else:
            order, earliest = known
            if when < earliest:
                self._orders[encounter, on] = order, when
        if provider != NULL and self._providers.setdefault((encounter, on), provider) != provider:
            self._providers[encounter, on] = NULL
        uuid = self.chart.ids.uuid(self.table, record_id, copy)
        code, name = test.split("\n")
        self.reports.append(f'["{uuid}","{order}",{name},{LABORATORY},{when}]')
        if result := _result(value):
            self.results.append(f'["{uuid[:31]}{RESULT_ROW}","{uuid}",{code},{when},{result}]')

    def orders(self) -> list[str]:
        """Return the orders: each at the time of its earliest finding, and of the one provider of all of them."""
        return [
            f'["{uuid}",{LABORATORY},{when},{encounter},{NULL},{self._providers.get((encounter, on), NULL)}]'
            for (encounter, on), (uuid, when) in self._orders.items()
        ]


@lru_cache(maxsize=65_536)
def test_of(
    concept: ConceptInUse | None, source: ConceptInUse | None, words: str | None, concept_id: int | None
) -> str | None:
    """Return how a test is called, None when it is not: code and text of a result, then those of a report.

    Results and laboratory reports take bare LOINC codes, which OpenEMR's FHIR reads as such; a test
    that LOINC does not have is known to a report by ``TYPE:code``, and to a result by its text.
    """
    title = title_of(concept, source, words, concept_id)
    if not title:
        return None
    loinc = bare_code(concept, "LOINC") or bare_code(source, "LOINC")
    other = (concept and code_of(concept)) or (source and code_of(source)) or ""
    name = text(title, 255)
    return f"{text(loinc, 31)},{name}\n{text(loinc or other, 64)},{name}"


def answer_of(concept: ConceptInUse | None, concept_id: int | None) -> str | None:
    """Return the name of an answer, which may be a concept that the bundle does not tell of."""
    if concept is not None:
        return concept.concept_name
    return f"OMOP concept {concept_id}" if concept_id else None


def _result(value: Value) -> str:
    """Return type, result, unit, range and judgement; "" when nothing was found."""
    kind, found, judged = "S", "", ""
    if value.amount is not None:
        sign = _SIGNS.get(value.operator_id or 0, "")
        found = f"{sign}{_number(value.amount)}"
        if not sign:
            kind, judged = "N", _judged(value.amount, value.low, value.high)
    elif value.answer:
        found = shortened(value.answer, 255)
    elif value.words:
        found = shortened(value.words, 255)
        found = _HIDDEN.get(found.upper(), found)
    if not found:
        return ""
    limits = ""
    if value.low is not None or value.high is not None:
        limits = f"{_limit(value.low)}-{_limit(value.high)}"
    return f'"{kind}",{text(found, 255)},{_unit(value.unit, value.unit_words)},"{limits}","{judged}"'


@lru_cache(maxsize=8_192)
def _unit(concept: ConceptInUse | None, words: str | None) -> str:
    return text(ucum_code(concept) or (words or "").strip() or (concept.concept_name if concept else ""), 31)


def _judged(amount: float, low: float | None, high: float | None) -> str:
    """Return how a number lies to its range; "" when it has none."""
    if low is not None and amount < low:
        return "low"
    if high is not None and amount > high:
        return "high"
    return "no" if low is not None and high is not None else ""


def _limit(value: float | None) -> str:
    return "" if value is None else _number(value)


def _number(value: float) -> str:
    digits = repr(value)
    return digits[:-2] if digits.endswith(".0") else digits
