-- The late ledger's rows of minutes, with a hash that stands for the event_id.
WITH toUInt128(event_id) AS id
SELECT
    intDiv(toUnixTimestamp(late.minute), 60) AS minute,
    kafka_partition AS partition,
    kafka_offset AS offset,
    toUInt64(bitShiftRight(id, 64)) * 11400714819323198485 + toUInt64(bitAnd(id, 18446744073709551615)) AS hash,
    toUnixTimestamp64Milli(arrived_at) AS arrived_ms
FROM late_ledger AS late FINAL
WHERE late.minute >= {from:DateTime('UTC')} AND late.minute < {to:DateTime('UTC')}
