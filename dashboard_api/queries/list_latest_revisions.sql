-- The highest revision of each minute in [from, to), newest first, from below the cursor's minute.
SELECT window_start, revision, digest, received_at, CASE WHEN %(bodies)s THEN body END AS body
FROM reports
WHERE (%(from)s IS NULL OR window_start >= %(from)s::timestamptz)
  AND (%(to)s IS NULL OR window_start < %(to)s::timestamptz)
  AND (%(after_window)s IS NULL OR window_start < %(after_window)s::timestamptz)
  AND (%(complete)s IS NULL OR complete = %(complete)s)
  AND NOT EXISTS (
      SELECT FROM reports AS later WHERE later.window_start = reports.window_start AND later.revision > reports.revision
  )
ORDER BY window_start DESC
LIMIT %(limit)s
