-- The highest offset stored of each Kafka partition.
-- The view may lack the last insert of a server that was killed between the table and the view: events of the last
-- hour before its newest are looked at as well.
SELECT kafka_partition, max(kafka_offset) AS kafka_offset
FROM
(
    SELECT kafka_partition, kafka_offset FROM sink_positions
    UNION ALL
    SELECT kafka_partition, kafka_offset
    FROM events
    WHERE arrived_at >= (SELECT max(arrived_at) FROM events) - toIntervalHour(1)
)
GROUP BY kafka_partition
ORDER BY kafka_partition
