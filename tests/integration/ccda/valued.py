"""A data set with values everywhere: persons of GiBleed, whose 44,053 measurements carry none, get them."""

from __future__ import annotations

from pathlib import Path

import duckdb

_CONCEPTS = """
SELECT concept_id, concept_name, domain_id, vocabulary_id, 'x' AS concept_class_id, standard_concept, concept_code,
       DATE '1970-01-01' AS valid_start_date, DATE '2099-12-31' AS valid_end_date, NULL AS invalid_reason
FROM (VALUES
    (3004249, 'Systolic blood pressure', 'Measurement', 'LOINC', 'S', '8480-6'),
    (3012888, 'Diastolic blood pressure', 'Measurement', 'LOINC', 'S', '8462-4'),
    (3004501, 'Glucose [Mass/volume] in Serum or Plasma', 'Measurement', 'LOINC', 'S', '2345-7'),
    (8876, 'millimeter mercury column', 'Unit', 'UCUM', 'S', 'mm[Hg]'),
    (8840, 'milligram per deciliter', 'Unit', 'UCUM', 'S', 'mg/dL'),
    (45884084, 'Positive', 'Meas Value', 'LOINC', 'S', 'LA6576-8'),
    (4126681, 'Detected', 'Meas Value', 'SNOMED', 'S', '260373001'),
    (44829696, 'Hypertension', 'Condition', 'ICD10CM', NULL, 'I10'),
    (44000001, 'Aspirin 325 MG', 'Drug', 'NDC', NULL, '00536330501'),
    (2110194, 'Biopsy of skin', 'Procedure', 'CPT4', NULL, '11104')
) AS made(concept_id, concept_name, domain_id, vocabulary_id, standard_concept, concept_code)
"""

_CHANGED = {
    "measurement": """
SELECT * EXCLUDE (h, kind) REPLACE (
    CASE WHEN h % 3 = 0 THEN 3004249 WHEN h % 3 = 1 THEN 3004501 ELSE measurement_concept_id END
        AS measurement_concept_id,
    CASE WHEN kind IN (4, 5) THEN NULL ELSE ((h // 7) % 40000 - 5000) / 100 END AS value_as_number,
    CASE WHEN kind = 1 THEN [4171756, 4171754, 4172704, 4171755, 4172703][1 + h // 11 % 5] ELSE 0 END
        AS operator_concept_id,
    CASE WHEN kind = 2 AND h % 2 = 0 THEN 0.5 * (h % 90) END AS range_low,
    CASE WHEN kind = 2 THEN 100 + h % 50 END AS range_high,
    CASE WHEN kind = 4 THEN [45884084, 4126681][1 + h // 13 % 2] ELSE 0 END AS value_as_concept_id,
    CASE WHEN kind = 5 THEN '<b>"' || (h % 1000) || '" & more' END AS value_source_value,
    CASE WHEN kind IN (3, 6) THEN 0 WHEN h % 3 = 0 THEN 8876 ELSE 8840 END AS unit_concept_id,
    CASE WHEN kind = 6 THEN 'kilo furlongs' END AS unit_source_value,
    measurement_date + INTERVAL (h % 86400) SECOND AS measurement_datetime)
FROM (SELECT *, CAST(hash(measurement_id) % 1000003 AS BIGINT) AS h,
      CAST(hash(measurement_id) // 9 % 8 AS BIGINT) AS kind FROM given)
""",
    "condition_occurrence": """
SELECT * EXCLUDE (first_visit) REPLACE (
    CASE condition_occurrence_id % 3 WHEN 0 THEN 44829696 WHEN 1 THEN 0 ELSE condition_source_concept_id END
        AS condition_source_concept_id,
    CASE condition_occurrence_id % 3 WHEN 1 THEN 'as told: ' || condition_occurrence_id
        ELSE condition_source_value END AS condition_source_value,
    coalesce(first_visit, visit_occurrence_id) AS visit_occurrence_id)
FROM given LEFT JOIN
    (SELECT person_id, min(visit_occurrence_id) AS first_visit FROM visits GROUP BY person_id) USING (person_id)
""",
    "drug_exposure": """
SELECT * REPLACE (
    CASE drug_exposure_id % 2 WHEN 0 THEN 44000001 ELSE drug_source_concept_id END AS drug_source_concept_id,
    CASE drug_exposure_id % 2 WHEN 0 THEN '00536330501' ELSE drug_source_value END AS drug_source_value)
FROM given
""",
    "procedure_occurrence": """
SELECT * REPLACE (2110194 AS procedure_source_concept_id, 'biopsy, skin' AS procedure_source_value) FROM given
""",
}


def make_valued(gibleed: Path, root: Path) -> Path:
    """Write the data set below a folder, the same each time, and return where its tables are."""
    folder = root / "valued_5.3" / "parquet"
    folder.mkdir(parents=True)
    connection = duckdb.connect()
    connection.execute(f"CREATE VIEW visits AS SELECT * FROM '{gibleed / 'visit_occurrence.parquet'}'")
    for path in sorted(gibleed.glob("*.parquet")):
        columns = connection.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()
        if path.stem != "concept" and "person_id" not in {column[0] for column in columns}:
            continue
        only = "" if path.stem == "concept" else "WHERE person_id % 9 = 0"
        connection.execute(f"CREATE OR REPLACE VIEW given AS SELECT * FROM '{path}' {only}")
        query = _CHANGED.get(path.stem, "SELECT * FROM given")
        if path.stem == "concept":
            names = ", ".join(column[0] for column in columns)
            query = f"""SELECT {names} FROM given WHERE concept_id NOT IN (SELECT concept_id FROM ({_CONCEPTS}))
                        UNION ALL SELECT {names} FROM ({_CONCEPTS})"""
        connection.execute(f"COPY ({query}) TO '{folder / path.name}' (FORMAT parquet)")
    return folder
