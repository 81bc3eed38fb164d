"""Enough of ClickHouse's HTTP interface for clickhouse-connect, on top of the embedded engine.

One process owns the engine and its files. Loopback, no authentication: tests and a local stack
only. Not like a server: no users, no native protocol, no Replicated or Distributed tables;
`written_rows` counts rows of views too and `result_rows` is approximate.
"""
