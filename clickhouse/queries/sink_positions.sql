-- The highest offset stored of each partition.
SELECT kafka_partition, max(kafka_offset) AS kafka_offset
FROM sink_positions
GROUP BY kafka_partition
