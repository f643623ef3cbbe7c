-- Every revision of the minutes in [from, to), newest first, from below the cursor.
SELECT window_start, revision, digest, received_at, CASE WHEN %(bodies)s THEN body END AS body
FROM reports
WHERE (%(from)s IS NULL OR window_start >= %(from)s::timestamptz)
  AND (%(to)s IS NULL OR window_start < %(to)s::timestamptz)
  AND (%(after_window)s IS NULL
       OR (window_start, revision) < (%(after_window)s::timestamptz, %(after_revision)s::integer))
  AND (%(complete)s IS NULL OR %(complete)s = (
      SELECT latest.complete FROM reports AS latest
      WHERE latest.window_start = reports.window_start
      ORDER BY latest.revision DESC
      LIMIT 1
  ))
ORDER BY window_start DESC, revision DESC
LIMIT %(limit)s
