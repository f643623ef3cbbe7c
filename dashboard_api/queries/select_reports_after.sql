-- What came after a position, in the order of arrival.
SELECT position, window_start, revision, digest, received_at, body
FROM reports
WHERE position > %(position)s
ORDER BY position
LIMIT %(limit)s
