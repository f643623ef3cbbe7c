-- A user's events in order, each event_id once.
SELECT event_timestamp, event_type, status, error_code, product_id, session_id, request_latency_ms, event_id
FROM events
WHERE user_id = {user_id:UUID}
    AND event_timestamp >= {from:DateTime64(3, 'UTC')} AND event_timestamp < {to:DateTime64(3, 'UTC')}
ORDER BY event_timestamp, event_id, kafka_offset, kafka_partition
LIMIT 1 BY event_id
