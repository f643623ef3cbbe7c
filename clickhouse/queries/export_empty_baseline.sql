-- Writes the baseline of a minute without a past: Parquet with the columns and no row.
INSERT INTO FUNCTION s3({s3_url:String}, {s3_access_key:String}, {s3_secret_key:String}, 'Parquet')
SETTINGS
    s3_truncate_on_insert = 1,
    output_format_parquet_string_as_string = 1,
    max_insert_threads = 1
SELECT
    toDateTime64(minute, 3, 'UTC') AS minute, toString(event_type) AS event_type, events, errors, latency_p50_ms,
    latency_p95_ms, toDateTime('1970-01-01', 'UTC') AS window
FROM minute_aggregates
LIMIT 0
