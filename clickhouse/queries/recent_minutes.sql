-- The last minutes by event type, from the aggregates: fast, and an event that was stored twice counts twice.
SELECT
    minute,
    event_type,
    sum(events_per_minute.events) AS events,
    sum(events_per_minute.successes) AS successes,
    sum(events_per_minute.errors) AS errors,
    round(sum(latency_sum_ms) / sum(events_per_minute.events), 1) AS latency_mean_ms,
    max(latency_max_ms) AS latency_max_ms,
    quantilesTDigestMerge(0.5, 0.9, 0.95, 0.99)(latency) AS latency_p50_p90_p95_p99_ms
FROM events_per_minute
WHERE minute >= {from:DateTime('UTC')} AND minute < {to:DateTime('UTC')}
GROUP BY minute, event_type
ORDER BY minute, event_type
