-- For each minute one row per event type (scope 'type'), one of all together ('total') and one of the distinct
-- users and sessions ('distinct'); `events` is the Parquet of the minutes, each event_id once.
-- minute_number counts minutes since the epoch.
-- Distinct counts have their own branch: inside the grouping sets each id would be kept twice,
-- which makes a minute of 600,000 events take twice as long.
-- An empty minute gives no row.
SELECT
    minute_number,
    if(grouping(event_type) = 1, 'total', 'type') AS scope,
    event_type,
    count(*) AS events,
    count_if(status = 'SUCCESS') AS successes,
    count_if(status = 'ERROR') AS errors,
    -- distinct codes are few, so counting each in the collected list is cheap
    transform(
        array_distinct(collect_list(error_code)),
        code -> struct(code, size(filter(collect_list(error_code), other -> other = code)) AS events)
    ) AS error_codes,
    sum(request_latency_ms) AS latency_sum_ms,
    max(request_latency_ms) AS latency_max_ms,
    percentile(request_latency_ms, array(0.5, 0.9, 0.95, 0.99)) AS latency_quantiles_ms,
    CAST(NULL AS BIGINT) AS users,
    CAST(NULL AS BIGINT) AS sessions
FROM {events}
GROUP BY GROUPING SETS ((minute_number, event_type), (minute_number))
UNION ALL
SELECT
    minute_number, 'distinct', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    count(DISTINCT user_id),
    count(DISTINCT session_id)
FROM {events}
GROUP BY minute_number
