-- The rows of one revision of a minute: each event_id once (its first arrival), below the cut-off of its partition, in an
-- order that depends on the rows alone.
SELECT
    event_id, user_id, session_id, event_type, event_timestamp, request_latency_ms, status, error_code, product_id,
    kafka_partition, kafka_offset
FROM
(
    SELECT *
    FROM events
    WHERE event_timestamp >= {start:DateTime64(3, 'UTC')}
      AND event_timestamp < {end:DateTime64(3, 'UTC')}
      AND toStartOfMinute(event_timestamp) = toDateTime({start:DateTime64(3, 'UTC')}, 'UTC')
      AND kafka_offset < {offsets:Array(UInt64)}[indexOf({partitions:Array(UInt16)}, kafka_partition)]
    ORDER BY event_id, kafka_partition, kafka_offset
    LIMIT 1 BY event_id
)
ORDER BY event_timestamp, event_id
