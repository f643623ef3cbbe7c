-- Aggregates, as version 0, of the minutes of a baseline that have events and were not exported yet.
INSERT INTO minute_aggregates
(
    minute, event_type, version, events, errors, latency_sum_ms, latency_max_ms,
    latency_p50_ms, latency_p90_ms, latency_p95_ms, latency_p99_ms
)
WITH quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(request_latency_ms) AS latency
SELECT
    toDateTime(toStartOfMinute(event_timestamp), 'UTC') AS minute,
    event_type,
    0,
    count(),
    countIf(status = 'ERROR'),
    sum(request_latency_ms),
    max(request_latency_ms),
    latency[1],
    latency[2],
    latency[3],
    latency[4]
FROM
(
    SELECT event_id, event_type, event_timestamp, status, request_latency_ms
    FROM events
    WHERE toStartOfMinute(event_timestamp) >= {from:DateTime('UTC')}
        AND toStartOfMinute(event_timestamp) < {to:DateTime('UTC')}
        AND toDateTime(toStartOfMinute(event_timestamp), 'UTC') NOT IN
        (
            SELECT minute FROM minute_aggregates WHERE minute >= {from:DateTime('UTC')} AND minute < {to:DateTime('UTC')}
        )
    ORDER BY event_id, arrived_at, kafka_offset, kafka_partition
    LIMIT 1 BY event_id
)
GROUP BY minute, event_type
