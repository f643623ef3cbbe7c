-- Writes the recent past to S3 as Parquet: aggregates of each minute and event type before the window.
-- Not overwritten: what arrived late in the meantime would change a revision that has been reported.
INSERT INTO FUNCTION s3({s3_url:String}, {s3_access_key:String}, {s3_secret_key:String}, 'Parquet')
SETTINGS
    s3_truncate_on_insert = 0,
    output_format_parquet_string_as_string = 1,
    max_insert_threads = 1
SELECT
    toDateTime64(minute, 3, 'UTC') AS minute,
    toString(event_type) AS event_type,
    sum(events) AS events,
    sum(errors) AS errors,
    toFloat64(quantilesTDigestMerge(0.5, 0.9, 0.95, 0.99)(latency)[1]) AS latency_p50_ms,
    toFloat64(quantilesTDigestMerge(0.5, 0.9, 0.95, 0.99)(latency)[3]) AS latency_p95_ms
FROM events_per_minute
WHERE minute >= {window_start:DateTime('UTC')} - toIntervalMinute({minutes:UInt16})
    AND minute < {window_start:DateTime('UTC')}
GROUP BY minute, event_type
ORDER BY minute, event_type
