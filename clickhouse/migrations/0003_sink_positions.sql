-- The highest offset stored of each Kafka partition: a sink that was killed between insert and commit skips up to it.
CREATE TABLE IF NOT EXISTS sink_positions
(
    kafka_partition UInt16,
    kafka_offset SimpleAggregateFunction(max, UInt64)
)
ENGINE = AggregatingMergeTree
ORDER BY kafka_partition;

CREATE MATERIALIZED VIEW IF NOT EXISTS sink_positions_view TO sink_positions AS
SELECT kafka_partition, max(kafka_offset) AS kafka_offset
FROM events
GROUP BY kafka_partition;
