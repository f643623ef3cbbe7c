"""The embedded sink: hands Kafka's Avro bytes, undecoded, to ClickHouse. Run it with `python -m connect.sink`.

| module | idea |
|---|---|
| `runner` | the loop: poll, buffer, hand over, react to rebalances |
| `batch` | messages in order, and the numbering that gives each row its partition and offset |
| `delivery` | one batch: screen, dead-letter, insert, commit |
| `writer` | ClickHouse: the insert, the stored positions, which errors mean what |
| `screening`, `schemas` | what is wrong with a message; schemas by id |
| `start` | where to start in each partition, so that nothing is stored twice |
| `patience` | a dependency that does not answer pauses the sink |
| `status`, `health` | what it is doing, for people and for Prometheus |

Delivery is at least once: offsets are committed after ClickHouse has acknowledged the insert, and dead letters are
written before anything behind them is inserted. A restarted sink skips what is stored already, so a kill between
insert and commit stores nothing twice.
"""
