-- All events, as they came from Kafka. The identity is event_id; readers count each once (see queries/).
CREATE TABLE IF NOT EXISTS events
(
    event_id UUID,
    user_id UUID,
    session_id UUID,
    event_type LowCardinality(String),
    event_timestamp DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    request_latency_ms UInt32,
    status LowCardinality(String),
    error_code Nullable(UInt16),
    product_id Nullable(String),
    kafka_partition UInt16,
    kafka_offset UInt64 CODEC(DoubleDelta, ZSTD(1)),
    arrived_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1))
)
ENGINE = MergeTree
-- By arrival: replays bring events that are years old, and each of their days would be a partition.
PARTITION BY toYYYYMMDD(arrived_at)
ORDER BY (toStartOfMinute(event_timestamp), event_type, event_id)
TTL toDateTime(arrived_at) + toIntervalDay({ttl_days:UInt16})
SETTINGS ttl_only_drop_parts = 1;
