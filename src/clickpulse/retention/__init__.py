"""What is kept for how long: the objects of minutes and reports, the stored reports, Airflow's task logs.

Rules of a store's own (S3 lifecycle rules) would go by an object's age alone. Here an object stays as long as the
report that counts for its minute needs it, however old it is: `plan` decides, `objects` looks and deletes, `step` is
what the DAG `retention` runs once a day. ClickHouse and Kafka expire by themselves (CLICKHOUSE_EVENT_TTL_DAYS,
KAFKA_RETENTION_BYTES).
"""
