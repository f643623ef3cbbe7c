"""The embedded ClickHouse: ClickHouse's HTTP interface over the engine in the process (chdb)."""
