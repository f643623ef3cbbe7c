-- Writes minutes to S3 as Parquet, an object for each that has events: one row of each event_id, the one that arrived
-- first, and only rows below the cutoff, the offset offsets[i] in the Kafka partition partitions[i].
-- An event_id that arrived before in another minute, at most duplicate_minutes away, counts there.
-- arrived_at is left out: the same events give the same bytes, also when ClickHouse was filled again from Kafka.
INSERT INTO FUNCTION s3({s3_url:String}, {s3_access_key:String}, {s3_secret_key:String}, 'Parquet')
PARTITION BY transform(toStartOfMinute(event_timestamp), {windows:Array(DateTime('UTC'))}, {keys:Array(String)}, '')
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
WHERE toStartOfMinute(event_timestamp) IN {windows:Array(DateTime('UTC'))}
    AND kafka_offset < transform(kafka_partition, {partitions:Array(UInt16)}, {offsets:Array(UInt64)}, toUInt64(0))
    AND event_id NOT IN
    (
        SELECT event_id
        FROM events
        WHERE toStartOfMinute(event_timestamp) >= {first:DateTime('UTC')} - toIntervalMinute({duplicate_minutes:UInt16})
            AND toStartOfMinute(event_timestamp) <= {last:DateTime('UTC')} + toIntervalMinute({duplicate_minutes:UInt16})
            AND kafka_offset
                < transform(kafka_partition, {partitions:Array(UInt16)}, {offsets:Array(UInt64)}, toUInt64(0))
            AND event_id IN
            (
                SELECT event_id
                FROM events
                WHERE toStartOfMinute(event_timestamp)
                        >= {first:DateTime('UTC')} - toIntervalMinute({duplicate_minutes:UInt16})
                    AND toStartOfMinute(event_timestamp)
                        <= {last:DateTime('UTC')} + toIntervalMinute({duplicate_minutes:UInt16})
                    AND toStartOfMinute(event_timestamp) NOT IN {windows:Array(DateTime('UTC'))}
                    AND event_id IN
                    (
                        SELECT event_id FROM events
                        WHERE toStartOfMinute(event_timestamp) IN {windows:Array(DateTime('UTC'))}
                    )
            )
        GROUP BY event_id
        HAVING toStartOfMinute(argMin(event_timestamp, (arrived_at, kafka_offset, kafka_partition)))
            NOT IN {windows:Array(DateTime('UTC'))}
    )
ORDER BY event_id, arrived_at, kafka_offset, kafka_partition
LIMIT 1 BY event_id
