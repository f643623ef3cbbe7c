-- Writes the object of a minute without events: Parquet with the columns and no row.
INSERT INTO FUNCTION s3({s3_url:String}, {s3_access_key:String}, {s3_secret_key:String}, 'Parquet')
SETTINGS
    s3_truncate_on_insert = 1,
    output_format_parquet_compression_method = 'zstd',
    output_format_parquet_string_as_string = 1,
    max_insert_threads = 1
SELECT
    event_id,
    user_id,
    session_id,
    toString(event_type) AS event_type,
    event_timestamp,
    request_latency_ms,
    toString(status) AS status,
    error_code,
    product_id,
    kafka_partition,
    kafka_offset
FROM events
LIMIT 0
