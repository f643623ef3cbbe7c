-- The body: Kafka values in Confluent's wire format, one after the other, of several runs of successive offsets.
-- Run i begins at row starts[i] (from 0) with the offset offsets[i] of the Kafka partition partitions[i].
-- An event later than latest_ms (ms since the epoch) refuses the insert (code 395), as a value does that can't be stored.
-- One thread: rows are numbered in the body's order, and all of them are stored as one block or none is.
INSERT INTO events
(
    event_id, user_id, session_id, event_type, event_timestamp, request_latency_ms, status, error_code, product_id,
    kafka_partition, kafka_offset
)
SETTINGS
    max_threads = 1,
    max_insert_threads = 1,
    max_block_size = 1048576,
    max_insert_block_size = 1048576,
    min_insert_block_size_rows = 1048576,
    min_insert_block_size_bytes = 1073741824,
    input_format_avro_allow_missing_fields = 0
WITH
    rowNumberInAllBlocks() AS rn,
    arrayLastIndex(start -> start <= rn, {starts:Array(UInt64)}) AS run
SELECT
    event_id, user_id, session_id, event_type, event_timestamp,
    -- A number out of range is refused (code 70), where reading it as unsigned would wrap it around.
    accurateCast(request_latency_ms, 'UInt32'),
    status,
    accurateCast(error_code, 'Nullable(UInt16)'),
    product_id,
    {partitions:Array(UInt16)}[run],
    {offsets:Array(UInt64)}[run] + rn - {starts:Array(UInt64)}[run]
FROM input(
    'event_id UUID, user_id UUID, session_id UUID, event_type LowCardinality(String), event_timestamp DateTime64(3, \'UTC\'), request_latency_ms Int32, status LowCardinality(String), error_code Nullable(Int32), product_id Nullable(String)'
)
WHERE NOT throwIf(
    event_timestamp > fromUnixTimestamp64Milli({latest_ms:Int64}, 'UTC'),
    'event_timestamp is too far ahead of the clock'
)
FORMAT AvroConfluent
