-- Aggregates of a minute (of event time) and an event type, each event_id counted once: what a baseline is made of.
-- Written with each export of the minute, from what was exported; a minute that is needed before its own export gets a
-- row from the events stored by then, as version 0, which the export's replaces.
CREATE TABLE IF NOT EXISTS minute_aggregates
(
    minute DateTime('UTC'),
    event_type LowCardinality(String),
    version UInt32 COMMENT 'the exported revision + 1; 0: not exported yet',
    events UInt64,
    errors UInt64,
    latency_sum_ms UInt64,
    latency_max_ms UInt32,
    latency_p50_ms Float64,
    latency_p90_ms Float64,
    latency_p95_ms Float64,
    latency_p99_ms Float64,
    computed_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (minute, event_type)
TTL toDateTime(computed_at) + toIntervalDay({ttl_days:UInt16});

DROP VIEW IF EXISTS events_per_minute_view;

DROP TABLE IF EXISTS events_per_minute;

-- Where each minute's last exported revision was cut off: rows at or above the cutoff came too late for it.
CREATE TABLE IF NOT EXISTS revision_cutoffs
(
    minute DateTime('UTC'),
    kafka_partition UInt16,
    cutoff UInt64 COMMENT 'first offset that is not part of the revision',
    revision UInt32,
    complete Bool,
    written_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (minute, kafka_partition)
TTL toDateTime(written_at) + toIntervalDay({ttl_days:UInt16});

-- Events that came too late for any report: kept and counted, in no report unless a backfill takes them up.
CREATE TABLE IF NOT EXISTS late_ledger
(
    minute DateTime('UTC'),
    event_id UUID,
    event_type LowCardinality(String),
    kafka_partition UInt16,
    kafka_offset UInt64,
    arrived_at DateTime64(3, 'UTC'),
    noted_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC'),
    reason LowCardinality(String)
)
ENGINE = ReplacingMergeTree(noted_at)
ORDER BY (minute, kafka_partition, kafka_offset)
TTL toDateTime(noted_at) + toIntervalDay({ttl_days:UInt16});

-- Up to which arrival the events were looked through for the ledger; what came before this table is not in question.
CREATE TABLE IF NOT EXISTS late_scans
(
    id UInt8 DEFAULT 0 COMMENT 'one row stays, the last',
    scanned_to DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(scanned_to)
ORDER BY id;

INSERT INTO late_scans (scanned_to) VALUES (now64(3, 'UTC'));

-- Arrivals of the last minutes are found without reading a day's.
ALTER TABLE events ADD INDEX IF NOT EXISTS by_arrival arrived_at TYPE minmax GRANULARITY 1;
