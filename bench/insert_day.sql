-- A day of `minutes` minutes with `each` events in each, as if a sink had stored them: at a Kafka offset below every
-- cutoff, arrived two days ago.
INSERT INTO events
(
    event_id, user_id, session_id, event_type, event_timestamp, request_latency_ms, status, error_code, product_id,
    kafka_partition, kafka_offset, arrived_at
)
SETTINGS max_insert_block_size = 1000000
SELECT
    generateUUIDv4(number),
    toUUID(concat('00000000-0000-4000-8000-', leftPad(toString(rand(1) % 50000), 12, '0'))),
    toUUID(concat('00000000-0000-4000-9000-', leftPad(toString(rand(2) % 200000), 12, '0'))),
    ['SEARCH', 'VIEW_PRODUCT', 'ADD_TO_CART', 'CHECKOUT', 'PAYMENT'][1 + rand(3) % 5],
    toDateTime64({start:DateTime('UTC')}, 3, 'UTC')
        + toIntervalMillisecond(intDiv(number, {each:UInt32}) * 60000 + rand(4) % 60000),
    20 + rand(5) % 400,
    if(rand(6) % 50 = 0, 'ERROR', 'SUCCESS'),
    if(rand(6) % 50 = 0, 503, NULL),
    NULL,
    0,
    0,
    now64(3, 'UTC') - toIntervalDay(2)
FROM numbers({minutes:UInt32} * {each:UInt32})
