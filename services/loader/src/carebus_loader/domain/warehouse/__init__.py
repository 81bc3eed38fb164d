"""What Postgres and ClickHouse have in common: tables, scopes, judgements and row text. Pure."""
