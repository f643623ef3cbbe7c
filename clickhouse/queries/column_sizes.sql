-- Bytes of each column of the events, compressed and not; the order key and marks are not in it.
SELECT column, sum(column_data_compressed_bytes) AS compressed, sum(column_data_uncompressed_bytes) AS uncompressed
FROM system.parts_columns
WHERE database = currentDatabase() AND table = 'events' AND active
GROUP BY column
ORDER BY compressed DESC
