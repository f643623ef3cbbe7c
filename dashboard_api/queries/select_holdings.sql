-- What there is. The newest position may be withdrawn, so rows are counted.
SELECT
    count(DISTINCT window_start) AS minutes,
    count(*) AS revisions,
    count(*) FILTER (WHERE received_at >= clock_timestamp() - interval '1 day') AS revisions_last_day,
    min(window_start) AS oldest_window,
    max(window_start) AS newest_window,
    min(received_at) AS oldest_received_at,
    pg_total_relation_size('reports') AS bytes
FROM reports
