"""ClickHouse: migrations, queries, the minute's export, and the embedded server."""
