-- Inserts into this database that have not ended, such as one whose sender was killed.
SELECT count()
FROM system.processes
WHERE query_kind = 'Insert' AND current_database = currentDatabase()
