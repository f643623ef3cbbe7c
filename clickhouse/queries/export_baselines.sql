-- Writes the recent past of minutes to S3 as Parquet, an object for each that has one: aggregates of each minute and
-- event type of the `minutes` minutes before it, `window`.
INSERT INTO FUNCTION s3({s3_url:String}, {s3_access_key:String}, {s3_secret_key:String}, 'Parquet')
PARTITION BY transform(window, {windows:Array(DateTime('UTC'))}, {keys:Array(String)}, '')
SETTINGS
    s3_truncate_on_insert = 1,
    output_format_parquet_string_as_string = 1,
    max_insert_threads = 1
SELECT
    toDateTime64(minute, 3, 'UTC') AS minute,
    toString(event_type) AS event_type,
    events,
    errors,
    latency_p50_ms,
    latency_p95_ms,
    window
FROM
(
    SELECT * FROM minute_aggregates FINAL
    WHERE minute >= {first:DateTime('UTC')} - toIntervalMinute({minutes:UInt16}) AND minute < {last:DateTime('UTC')}
) AS past
CROSS JOIN (SELECT arrayJoin({windows:Array(DateTime('UTC'))}) AS window) AS wanted
WHERE past.minute >= window - toIntervalMinute({minutes:UInt16}) AND past.minute < window
ORDER BY window, past.minute, event_type
