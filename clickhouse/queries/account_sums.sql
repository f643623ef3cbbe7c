-- What the rows of minutes add up to, by minute and Kafka partition: how many, and a checksum, whatever their order, of
-- which offset holds which event (see src/clickpulse/accounting/columns.py). UInt64 wraps around.
WITH
    toUInt128(event_id) AS id,
    toUInt64(bitShiftRight(id, 64)) * 11400714819323198485 + toUInt64(bitAnd(id, 18446744073709551615)) AS hash,
    bitAnd(bitXor(hash, bitShiftRight(hash, 32)), 4294967295) AS short
SELECT
    intDiv(toUnixTimestamp(toStartOfMinute(event_timestamp)), 60) AS minute,
    kafka_partition AS partition,
    count() AS rows,
    sum((kafka_offset + 1) * (2 * short + 1)) AS check
FROM events
WHERE toStartOfMinute(event_timestamp) >= {from:DateTime('UTC')} AND toStartOfMinute(event_timestamp) < {to:DateTime('UTC')}
GROUP BY minute, partition
