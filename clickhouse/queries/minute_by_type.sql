-- One minute by event type, each event_id counted once.
SELECT
    event_type,
    count() AS events,
    countIf(status = 'SUCCESS') AS successes,
    countIf(status = 'ERROR') AS errors,
    quantilesExact(0.5, 0.95, 0.99)(request_latency_ms) AS latency_p50_p95_p99_ms
FROM
(
    SELECT event_id, event_type, status, request_latency_ms
    FROM events
    WHERE toStartOfMinute(event_timestamp) = {window_start:DateTime('UTC')}
    ORDER BY event_id, kafka_offset, kafka_partition
    LIMIT 1 BY event_id
)
GROUP BY event_type
ORDER BY event_type
