-- All revisions of the oldest minutes that started, and of which the last revision came, before a time.
WITH expired AS (
    SELECT window_start
    FROM reports
    WHERE window_start < %(before)s
    GROUP BY window_start
    HAVING max(received_at) < %(before)s
    ORDER BY window_start
    LIMIT %(limit)s
)
DELETE FROM reports
USING expired
WHERE reports.window_start = expired.window_start
RETURNING reports.window_start, reports.revision
