-- Writes a minute's events to S3 as Parquet: one row of each event_id, the one with the lowest Kafka offset, and only
-- rows below the revision's cutoff, the offset offsets[i] in the Kafka partition partitions[i].
-- arrived_at is left out: the same events give the same bytes, also when ClickHouse was filled again from Kafka.
INSERT INTO FUNCTION s3({s3_url:String}, {s3_access_key:String}, {s3_secret_key:String}, 'Parquet')
SETTINGS
    s3_truncate_on_insert = 1,
    output_format_parquet_compression_method = 'zstd',
    output_format_parquet_row_group_size = 1000000,
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
WHERE toStartOfMinute(event_timestamp) = {window_start:DateTime('UTC')}
    AND kafka_offset < transform(kafka_partition, {partitions:Array(UInt16)}, {offsets:Array(UInt64)}, toUInt64(0))
ORDER BY event_id, kafka_offset, kafka_partition
LIMIT 1 BY event_id
