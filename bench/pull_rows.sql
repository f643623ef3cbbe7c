SELECT
    toString(event_id) AS event_id,
    toString(user_id) AS user_id,
    toString(session_id) AS session_id,
    event_type,
    event_timestamp,
    request_latency_ms,
    status,
    error_code,
    product_id
FROM events
WHERE event_timestamp >= {start:DateTime64(3, 'UTC')} AND event_timestamp < {end:DateTime64(3, 'UTC')}
