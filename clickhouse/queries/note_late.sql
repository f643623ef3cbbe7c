-- Puts into the late ledger what arrived in [since, until) and is in no report: it came to a reported minute after the
-- horizon, or its minute lies before filled_from and was never reported.
INSERT INTO late_ledger (minute, event_id, event_type, kafka_partition, kafka_offset, arrived_at, reason)
WITH cutoffs AS
(
    SELECT minute, kafka_partition, cutoff, complete
    FROM revision_cutoffs FINAL
    WHERE minute >= (SELECT min(toStartOfMinute(event_timestamp)) FROM events WHERE arrived_at >= {since:DateTime64(3, 'UTC')})
)
SELECT
    minute,
    event_id,
    event_type,
    kafka_partition,
    kafka_offset,
    arrived_at,
    if(reported, 'after the horizon', 'minute never reported') AS reason
FROM
(
    SELECT
        toDateTime(toStartOfMinute(event_timestamp), 'UTC') AS minute,
        event_id,
        event_type,
        kafka_partition,
        kafka_offset,
        arrived_at,
        minute IN (SELECT minute FROM cutoffs) AS reported
    FROM events
    WHERE arrived_at >= {since:DateTime64(3, 'UTC')} AND arrived_at < {until:DateTime64(3, 'UTC')}
) AS arrived
LEFT JOIN cutoffs USING (minute, kafka_partition)
WHERE
    if
    (
        reported,
        kafka_offset >= cutoff
            AND (complete OR minute < {filled_from:DateTime('UTC')})
            AND dateDiff('minute', minute, arrived_at) > {horizon_minutes:UInt32},
        minute < {filled_from:DateTime('UTC')}
    )
