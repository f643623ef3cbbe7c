-- Tables that hold rows of their own.
SELECT name, toUInt64(total_rows) AS rows, toUInt64(coalesce(total_bytes, 0)) AS bytes, engine_full
FROM system.tables
WHERE database = currentDatabase() AND total_rows IS NOT NULL AND engine LIKE '%MergeTree'
ORDER BY bytes DESC, name
