"""The commented job files that ``carebus jobs init`` prints."""

EXTRACT_FILE = """\
# A carebus job. Submit it with:  carebus jobs submit this-file.yaml --watch
kind: extract

# Stable name of the source. Every id in the targets depends on it, so keep it for ever:
# lower case letters, digits, '_', '.', '-'.
source: my-hospital

# Where the OMOP records are. One of:
omop:
  format: csv                   # a folder with one file a table: person.csv, measurement.csv.gz ...
  path: /data/omop              # under a folder that the extractor's settings allow
  # delimiter: auto             # one character, 'tab', or 'auto' to look at each file
#
#   format: parquet             # a folder with one Parquet file (or folder of parts) a table
#   path: /data/omop
#
#   format: duckdb              # a DuckDB database file
#   path: /data/omop.duckdb
#   schema: main
#
#   format: postgres            # a schema of a database that the extractor's settings name
#   connection: lab_omop
#   schema: cdm

# Where they go: any of openemr, postgres, clickhouse, documents. Each needs a loader that runs.
targets: [openemr, postgres, clickhouse, documents]

# --- all of the following may be left out ------------------------------------------------------

# job_id: my-hospital-2024-06   # the same id and job again is the same job; made up when left out
# requester: data-office@example.org    # who asks, for the record
# cdm_version: auto             # auto, 5.3 or 5.4

# persons:                      # all of them when nothing is said
#   limit: 100                  # at most so many, in order of person_id
#   start_after: 4711           # only greater person_ids
#   ids: [1, 2, 3]              # exactly these
#   sample: 0.01                # a share, the same persons every time

# leave_out: [note]             # tables to leave alone in the targets
# vocabulary: false             # true: the whole vocabulary, not only concepts in use
# names: pseudonym              # what persons are called, as OMOP has no names; pseudonym: no two alike,
#                               # synthetic: plausible, two persons may share one, or out of the source:
#                               # {mode: column, table: person_names, given: first_name, family: last_name},
#                               # where table is person, or a table or file beside it with a person_id; also
#                               # middle, prefix, suffix, phone, email, street, city, state, zip
# openemr: {documents: none}    # wanted: OpenEMR gets each person's C-CDA document, too, where its loader has the
#                               # sites folder; required: persons are refused where it has not
# slice_persons: 500            # persons a slice at most; carebus finds a good number by itself
# max_record_errors: 100        # fail at more dead letters for a target; default: 1,000 or 5 % of the persons
# dry_run: false                # true: compare and count, write nothing
"""

GENERATE_FILE = """\
# A carebus job. Submit it with:  carebus jobs submit this-file.yaml --watch
kind: generate

# Stable name of the data set. Every id in the targets depends on it; `carebus subjects retire` with it takes all
# patients out again: lower case letters, digits, '_', '.', '-'.
source: exercise

# What happens: a preset (`carebus generate presets`), or a scenario itself in place of the name:
#   scenario: {name: own, total: 1000, days: 4, base_date: 2025-06-01, warfare: [urban],
#              mix: {battle: 0.5, non_battle: 0.3, disease: 0.2}}
scenario: baltic_defence
total: 1000                     # patients, in place of the scenario's number
seed: 7                         # the same seed makes the same patients

# Where the records go: any of openemr, postgres, clickhouse, documents. Each needs a loader that runs.
# May be left out where files are written.
targets: [openemr, postgres, clickhouse, documents]

# --- all of the following may be left out ------------------------------------------------------

# job_id: exercise-2025-06      # the same id and job again is the same job; made up when left out
# requester: ada@example.org    # who asks, for the record
# first_person_id: 1            # person_id of the first patient
# files: [{format: parquet, url: /data/exercise}]
#                               # the data set as files, each in a folder of its own under one that the generator's
#                               # settings allow; format: ndjson, json, csv or parquet; also
#                               # compression: none, gzip or zstd, and encrypted: true with the generator's key
# names: pseudonym              # what patients are called; pseudonym: no two alike, synthetic: plausible, two may
#                               # share one
# openemr: {documents: none}    # wanted: OpenEMR gets each patient's C-CDA document, too, where its loader has the
#                               # sites folder; required: patients are refused where it has not
# chunk_patients: 2000          # made at a time; changes no patient
# max_record_errors: 100        # fail at more dead letters for a target; default: 1,000 or 5 % of the patients
# dry_run: false                # true: targets compare and count, and write nothing; files are written
"""

JOB_FILES = {"extract": EXTRACT_FILE, "generate": GENERATE_FILE}
"""By kind."""
