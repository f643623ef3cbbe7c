-- The last exported minutes by event type, each event_id counted once.
SELECT
    minute,
    event_type,
    events,
    events - errors AS successes,
    errors,
    round(latency_sum_ms / events, 1) AS latency_mean_ms,
    latency_max_ms,
    [latency_p50_ms, latency_p90_ms, latency_p95_ms, latency_p99_ms] AS latency_p50_p90_p95_p99_ms
FROM minute_aggregates FINAL
WHERE minute >= {from:DateTime('UTC')} AND minute < {to:DateTime('UTC')}
ORDER BY minute, event_type
