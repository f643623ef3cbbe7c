-- Minutes in [`from`, `to`) whose last exported revision was complete, and in which events were stored since that no row of
-- the revision has: how many of each type, and when the last of them arrived. Only events that arrived within the horizon,
-- and below the offset offsets[i] in the Kafka partition partitions[i].
WITH
    cutoffs AS
    (
        SELECT minute, kafka_partition, cutoff
        FROM revision_cutoffs FINAL
        WHERE minute >= {from:DateTime('UTC')} AND minute < {to:DateTime('UTC')} AND complete
    ),
    candidates AS
    (
        SELECT minute
        FROM
        (
            SELECT
                toDateTime(toStartOfMinute(event_timestamp), 'UTC') AS minute,
                kafka_partition,
                max(kafka_offset) AS last
            FROM events
            WHERE toStartOfMinute(event_timestamp) >= {from:DateTime('UTC')}
                AND toStartOfMinute(event_timestamp) < {to:DateTime('UTC')}
            GROUP BY minute, kafka_partition
        ) AS stored
        LEFT JOIN cutoffs USING (minute, kafka_partition)
        WHERE last >= cutoff AND minute IN (SELECT minute FROM cutoffs)
    )
SELECT minute, count() AS events, sumMap(map(event_type, toUInt64(1))) AS by_event_type, max(arrival) AS last_arrival
FROM
(
    SELECT
        minute,
        event_id,
        toString(any(event_type)) AS event_type,
        max(arrived_at) AS arrival,
        min(kafka_offset >= cutoff) AS is_late
    FROM
    (
        SELECT
            toDateTime(toStartOfMinute(event_timestamp), 'UTC') AS minute, event_id, event_type, arrived_at,
            kafka_partition, kafka_offset
        FROM events
        WHERE toDateTime(toStartOfMinute(event_timestamp), 'UTC') IN (SELECT minute FROM candidates)
            AND kafka_offset
                < transform(kafka_partition, {partitions:Array(UInt16)}, {offsets:Array(UInt64)}, toUInt64(0))
            AND dateDiff('minute', toStartOfMinute(event_timestamp), arrived_at) <= {horizon_minutes:UInt32}
    ) AS stored
    LEFT JOIN cutoffs USING (minute, kafka_partition)
    GROUP BY minute, event_id
    HAVING is_late
)
GROUP BY minute
ORDER BY minute
