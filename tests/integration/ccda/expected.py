"""What a source's own files say that a document must hold: SQL over Parquet, none of our code.

What belongs where is written down here a second time, by hand, from C-CDA R2.1 and from the names of
the concepts; so a change of mind in the mapping shows itself in a test.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb

from integration.ccda.reader import Fact

_SYSTEMS = {
    "SNOMED": "2.16.840.1.113883.6.96",
    "RxNorm": "2.16.840.1.113883.6.88",
    "LOINC": "2.16.840.1.113883.6.1",
    "ICD10CM": "2.16.840.1.113883.6.90",
    "CVX": "2.16.840.1.113883.12.292",
    "NDC": "2.16.840.1.113883.6.69",
    "CPT4": "2.16.840.1.113883.6.12",
}
_GENDERS = {8507: "M", 8532: "F"}
_RACES = {8527: "2106-3", 8516: "2054-5", 8515: "2028-9"}
_ETHNICITIES = {38003563: "2135-2", 38003564: "2186-5"}
_VISITS = {9201: "IMP", 9202: "AMB", 9203: "EMER"}
_OPERATORS = {4171756: "<", 4171754: "<=", 4172704: ">", 4171755: ">="}
_VITAL_SIGNS = [
    "8480-6",
    "8462-4",
    "8867-4",
    "9279-1",
    "8310-5",
    "8302-2",
    "8306-3",
    "29463-7",
    "39156-5",
    "2708-6",
    "59408-5",
    "3140-1",
    "8287-5",
    "9843-4",
]
"""C-CDA R2.1, value set 2.16.840.1.113883.3.88.12.80.62."""
_SOCIAL = [
    "71802-3",
    "76504-0",
    "93035-4",
    "76437-3",
    "63586-2",
    "93030-5",
    "93029-7",
    "93038-8",
    "93028-9",
    "63513-6",
    "67875-5",
    "56799-0",
    "93033-9",
    "63512-8",
    "72166-2",
    "56051-6",
    "32624-9",
    "93034-7",
    "54899-0",
    "82589-3",
    "93031-3",
    "93027-1",
    "93026-3",
    "76501-6",
    "76690-7",
    "28245-9",
]
"""Questions on living conditions and habits among the LOINC concepts of the two data sets."""
_STATEMENTS = {
    "160903007": "67875-5",
    "160904001": "67875-5",
    "741062008": "67875-5",
    "73438004": "67875-5",
    "424393004": "93026-3",
    "224299000": "82589-3",
    "5251000175109": "82589-3",
    "224295006": "82589-3",
    "266934004": "93030-5",
    "713458007": "93030-5",
    "266948004": "93028-9",
    "446654005": "93027-1",
    "32911000": "71802-3",
    "105531004": "71802-3",
    "449868002": "72166-2",
    "224355006": "93034-7",
}
"""SNOMED statements of social history among the two data sets, and LOINC's question to each."""
_ALLERGENS = {
    "419474003": "84489001",
    "232347008": "264287008",
    "418689008": "256277009",
    "419263009": "782576004",
    "232350006": "260147004",
    "300913006": "735029006",
    "91935009": "762952008",
    "424213003": "288328004",
    "300916003": "111088007",
    "420174000": "412071004",
    "91930004": "102263004",
    "417532002": "735971005",
    "91934008": "13577000",
    "425525006": "226760005",
    "714035009": "256355007",
} | {
    code: code
    for code in [
        "264287008",
        "84489001",
        "256277009",
        "288328004",
        "3718001",
        "260147004",
        "782576004",
        "256355007",
        "735971005",
        "102263004",
    ]
}
"""SNOMED allergies, and bare substances, of the two data sets: the substance of each."""


def expected(folder: Path) -> Iterator[Fact]:
    """Yield the facts of a data set; documents must hold these and no others."""
    connection = duckdb.connect()
    for path in folder.glob("*.parquet"):
        connection.read_parquet(str(path)).create_view(path.stem)
    for name, pairs in {
        "systems": _SYSTEMS,
        "genders": _GENDERS,
        "races": _RACES,
        "ethnicities": _ETHNICITIES,
        "visits": _VISITS,
        "operators": _OPERATORS,
        "statements": _STATEMENTS,
        "allergens": _ALLERGENS,
        "vital_signs": dict.fromkeys(_VITAL_SIGNS, ""),
        "social": dict.fromkeys(_SOCIAL, ""),
    }.items():
        connection.execute(
            f"CREATE TABLE {name} AS SELECT unnest($1) AS key, unnest($2) AS value",
            [list(pairs), list(pairs.values())],
        )
    connection.execute(_VIEWS)
    if not (folder / "death.parquet").exists():
        connection.execute("CREATE TABLE death (person_id BIGINT, death_date DATE)")
    tables = {row[0] for row in connection.execute("SHOW TABLES").fetchall()}
    for needs, query in _QUERIES:
        if needs in tables:
            for row in connection.execute(query).fetchall():
                yield Fact(*row)


_VIEWS = """
CREATE VIEW coded AS
    SELECT concept_id, concept_code, vocabulary_id, concept_name,
           coalesce(value || '|' || concept_code, '') AS code
    FROM concept LEFT JOIN systems ON key = vocabulary_id WHERE concept_id <> 0;
CREATE MACRO day(d) AS coalesce(strftime(d, '%Y%m%d'), '');
CREATE MACRO moment(d, t) AS CASE
    WHEN t IS NULL OR strftime(t, '%H%M%S') = '000000' THEN day(d) ELSE strftime(t, '%Y%m%d%H%M%S') || '+0000' END;
CREATE MACRO also(c, s) AS CASE WHEN s = c THEN '' ELSE coalesce(s, '') END;
CREATE MACRO words(text, c, cn, s, sn) AS
    CASE WHEN text IS NULL OR text IN (coalesce(c, ''), coalesce(cn, ''), coalesce(s, ''), coalesce(sn, ''))
    THEN '' ELSE text END;
CREATE MACRO decimal_text(n) AS CASE WHEN n IS NULL THEN '' WHEN n = round(n) AND abs(n) < 1e15
    THEN CAST(CAST(n AS HUGEINT) AS VARCHAR) || '.0' ELSE CAST(n AS VARCHAR) END;
"""

_MEASURED = """
SELECT m.person_id, {section}, measurement_id, coalesce(c.code, ''), also(c.code, s.code),
       moment(measurement_date, measurement_datetime), '',
       CASE WHEN value_as_number IS NOT NULL
            THEN coalesce(operators.value, '') || decimal_text(CAST(value_as_number AS DOUBLE))
            WHEN a.code IS NOT NULL THEN a.code
            ELSE coalesce({text}, '') END,
       CASE WHEN value_as_number IS NULL THEN ''
            WHEN u.concept_code IS NOT NULL THEN u.concept_code
            WHEN coalesce(trim(unit_source_value), '') = '' THEN '1'
            WHEN unit_source_value IN ('U/L', 'kU/L') OR unit_source_value[1] = '{{' THEN unit_source_value
            ELSE '{{' || replace(unit_source_value, ' ', '_') || '}}' END,
       CASE WHEN range_low IS NULL AND range_high IS NULL THEN ''
            ELSE decimal_text(CAST(range_low AS DOUBLE)) || '..' || decimal_text(CAST(range_high AS DOUBLE)) END
FROM measurement m
LEFT JOIN coded c ON c.concept_id = measurement_concept_id
LEFT JOIN coded s ON s.concept_id = measurement_source_concept_id
LEFT JOIN coded a ON a.concept_id = value_as_concept_id
LEFT JOIN coded u ON u.concept_id = unit_concept_id
LEFT JOIN operators ON operators.key = operator_concept_id
"""

_QUERIES = [
    (
        "person",
        """
SELECT person_id, 'person', person_id, '2.16.840.1.113883.5.1|' || genders.value,
       concat_ws(' ', '2.16.840.1.113883.6.238|' || races.value, '2.16.840.1.113883.6.238|' || ethnicities.value),
       printf('%04d', year_of_birth) || coalesce(printf('%02d', month_of_birth), '')
       || coalesce(printf('%02d', day_of_birth), ''),
       coalesce((SELECT min(day(death_date)) FROM death d WHERE d.person_id = person.person_id), '')
FROM person
LEFT JOIN genders ON key = gender_concept_id
LEFT JOIN races ON races.key = race_concept_id
LEFT JOIN ethnicities ON ethnicities.key = ethnicity_concept_id
""",
    ),
    (
        "condition_occurrence",
        """
SELECT person_id, 'problem', condition_occurrence_id, coalesce(c.code, ''), also(c.code, s.code),
       day(condition_start_date), day(condition_end_date),
       words(condition_source_value, c.concept_code, c.concept_name, s.concept_code, s.concept_name)
FROM condition_occurrence
LEFT JOIN coded c ON c.concept_id = condition_concept_id
LEFT JOIN coded s ON s.concept_id = condition_source_concept_id
""",
    ),
    (
        "observation",
        """
SELECT person_id, 'problem', observation_id, c.code, also(c.code, s.code), day(observation_date), '', ''
FROM observation
JOIN coded c ON c.concept_id = observation_concept_id
LEFT JOIN coded s ON s.concept_id = observation_source_concept_id
WHERE c.vocabulary_id = 'SNOMED' AND c.concept_name LIKE 'History of %'
  AND value_as_number IS NULL AND coalesce(value_as_concept_id, 0) = 0 AND value_as_string IS NULL
""",
    ),
    (
        "visit_occurrence",
        """
SELECT person_id, 'diagnosis', condition_occurrence_id, coalesce(c.code, ''), CAST(visit_occurrence_id AS VARCHAR),
       day(condition_start_date), day(condition_end_date)
FROM condition_occurrence SEMI JOIN visit_occurrence USING (person_id, visit_occurrence_id)
LEFT JOIN coded c ON c.concept_id = condition_concept_id
""",
    ),
    (
        "visit_occurrence",
        """
SELECT person_id, 'encounter', visit_occurrence_id, '', '2.16.840.1.113883.5.4|' || value,
       day(visit_start_date), day(visit_end_date)
FROM visit_occurrence JOIN visits ON key = visit_concept_id
""",
    ),
    (
        "drug_exposure",
        """
SELECT person_id, CASE c.vocabulary_id WHEN 'CVX' THEN 'immunization' ELSE 'medication' END, drug_exposure_id,
       c.code, also(c.code, s.code), day(drug_exposure_start_date),
       CASE c.vocabulary_id WHEN 'CVX' THEN '' ELSE day(drug_exposure_end_date) END,
       CASE c.vocabulary_id WHEN 'CVX' THEN ''
       ELSE words(drug_source_value, c.concept_code, c.concept_name, s.concept_code, s.concept_name) END
FROM drug_exposure
JOIN coded c ON c.concept_id = drug_concept_id
LEFT JOIN coded s ON s.concept_id = drug_source_concept_id
""",
    ),
    (
        "procedure_occurrence",
        """
SELECT person_id, 'procedure', procedure_occurrence_id, c.code, also(c.code, s.code), day(procedure_date),
       CASE WHEN procedure_end_date > procedure_date THEN day(procedure_end_date) ELSE '' END,
       words(procedure_source_value, c.concept_code, c.concept_name, s.concept_code, s.concept_name)
FROM (SELECT * FROM procedure_occurrence UNION ALL BY NAME SELECT NULL::DATE AS procedure_end_date WHERE false)
JOIN coded c ON c.concept_id = procedure_concept_id
LEFT JOIN coded s ON s.concept_id = procedure_source_concept_id
""",
    ),
    (
        "device_exposure",
        """
SELECT person_id, 'device', device_exposure_id, c.code, also(c.code, s.code),
       day(device_exposure_start_date), day(device_exposure_end_date),
       words(device_source_value, c.concept_code, c.concept_name, s.concept_code, s.concept_name)
FROM device_exposure
JOIN coded c ON c.concept_id = device_concept_id
LEFT JOIN coded s ON s.concept_id = device_source_concept_id
""",
    ),
    (
        "measurement",
        _MEASURED.format(
            section="""
       CASE WHEN c.vocabulary_id = 'LOINC' AND c.concept_code IN (SELECT key FROM vital_signs)
             AND value_as_number IS NOT NULL AND operators.value IS NULL
             AND (u.code IS NOT NULL OR trim(unit_source_value) <> '') THEN 'vital' ELSE 'result' END""",
            text="value_source_value",
        ),
    ),
    (
        "observation",
        """
SELECT person_id, 'allergy', observation_id, c.code, '', day(observation_date), '',
       '2.16.840.1.113883.6.96|' || value
FROM observation JOIN coded c ON c.concept_id = observation_concept_id
JOIN allergens ON key = c.concept_code AND c.vocabulary_id = 'SNOMED'
""",
    ),
    (
        "observation",
        """
SELECT person_id, 'social', observation_id,
       coalesce('2.16.840.1.113883.6.1|' || statements.value, c.code), '', day(observation_date), '',
       CASE WHEN statements.value IS NOT NULL THEN c.code
            WHEN c.concept_code = '72166-2' THEN '2.16.840.1.113883.6.96|266927001' ELSE '' END
FROM observation JOIN coded c ON c.concept_id = observation_concept_id
LEFT JOIN statements ON statements.key = c.concept_code AND c.vocabulary_id = 'SNOMED'
WHERE statements.key IS NOT NULL OR (c.vocabulary_id = 'LOINC' AND c.concept_code IN (SELECT key FROM social))
""",
    ),
    (
        "observation",
        """
SELECT person_id, 'result', observation_id,
       CASE c.vocabulary_id WHEN 'LOINC' THEN c.code ELSE '2.16.840.1.113883.5.4|ASSERTION' END, '',
       day(observation_date), '', CASE c.vocabulary_id WHEN 'LOINC' THEN '' ELSE c.code END
FROM observation JOIN coded c ON c.concept_id = observation_concept_id
WHERE NOT (c.vocabulary_id = 'LOINC' AND c.concept_code IN (SELECT key FROM social))
  AND NOT (c.vocabulary_id = 'SNOMED' AND (c.concept_name LIKE 'History of %'
           OR c.concept_code IN (SELECT key FROM statements) OR c.concept_code IN (SELECT key FROM allergens)))
""",
    ),
]
"""Table that a query needs, and the query; columns as in ``Fact``."""
