-- What readers need of the past, without reading events: aggregates of a minute (of event time) and an event type.
-- An event that was stored twice counts twice here; reports are made of events, where it counts once.
CREATE TABLE IF NOT EXISTS events_per_minute
(
    minute DateTime('UTC'),
    event_type LowCardinality(String),
    events SimpleAggregateFunction(sum, UInt64),
    successes SimpleAggregateFunction(sum, UInt64),
    errors SimpleAggregateFunction(sum, UInt64),
    latency_sum_ms SimpleAggregateFunction(sum, UInt64),
    latency_max_ms SimpleAggregateFunction(max, UInt32),
    latency AggregateFunction(quantilesTDigest(0.5, 0.9, 0.95, 0.99), UInt32),
    last_arrived_at SimpleAggregateFunction(max, DateTime64(3, 'UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY (minute, event_type)
TTL toDateTime(last_arrived_at) + toIntervalDay({ttl_days:UInt16});

CREATE MATERIALIZED VIEW IF NOT EXISTS events_per_minute_view TO events_per_minute AS
SELECT
    toDateTime(toStartOfMinute(event_timestamp), 'UTC') AS minute,
    event_type,
    count() AS events,
    countIf(status = 'SUCCESS') AS successes,
    countIf(status = 'ERROR') AS errors,
    sum(request_latency_ms) AS latency_sum_ms,
    max(request_latency_ms) AS latency_max_ms,
    quantilesTDigestState(0.5, 0.9, 0.95, 0.99)(request_latency_ms) AS latency,
    max(arrived_at) AS last_arrived_at
FROM events
GROUP BY minute, event_type;
