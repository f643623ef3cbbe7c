-- One revision of a minute; the highest where no revision is given.
SELECT window_start, revision, digest, received_at, body
FROM reports
WHERE window_start = %(window)s
  AND (%(revision)s IS NULL OR revision = %(revision)s)
ORDER BY revision DESC
LIMIT 1
