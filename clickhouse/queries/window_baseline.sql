-- The recent past of a minute: one row for each earlier minute and event type that had events.
SELECT
    minute,
    event_type,
    sum(events_per_minute.events) AS events,
    sum(events_per_minute.successes) AS successes,
    sum(events_per_minute.errors) AS errors,
    toFloat64((quantilesTDigestMerge(0.5, 0.95)(latency_ms) AS latency)[1]) AS latency_p50_ms,
    toFloat64(latency[2]) AS latency_p95_ms
FROM events_per_minute
WHERE minute >= {start:DateTime('UTC')} - toIntervalMinute({minutes:UInt32})
  AND minute < {start:DateTime('UTC')}
GROUP BY minute, event_type
ORDER BY minute, event_type
