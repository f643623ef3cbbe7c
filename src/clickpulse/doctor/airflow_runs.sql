SELECT
    count(*),
    count(*) FILTER (WHERE start_date >= now() - interval '1 day'),
    min(start_date),
    max(start_date),
    pg_database_size(current_database())
FROM dag_run
