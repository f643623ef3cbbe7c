-- Which of the minutes have events below the cutoff, the offset offsets[i] in the Kafka partition partitions[i].
SELECT DISTINCT toStartOfMinute(event_timestamp) AS minute
FROM events
WHERE minute IN {windows:Array(DateTime('UTC'))}
    AND kafka_offset < transform(kafka_partition, {partitions:Array(UInt16)}, {offsets:Array(UInt64)}, toUInt64(0))
