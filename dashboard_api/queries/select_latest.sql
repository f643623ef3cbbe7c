SELECT window_start, revision, digest, received_at, body
FROM reports
ORDER BY window_start DESC, revision DESC
LIMIT 1
