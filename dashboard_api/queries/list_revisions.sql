SELECT revision, body ->> 'revision_reason' AS revision_reason, complete, events, digest, received_at
FROM reports
WHERE window_start = %(window)s
ORDER BY revision DESC
