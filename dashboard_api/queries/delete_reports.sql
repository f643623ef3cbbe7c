-- A minute's revisions, or one of them; returns what there was.
DELETE FROM reports
WHERE window_start = %(window)s
  AND (%(revision)s IS NULL OR revision = %(revision)s)
RETURNING revision, body ->> 'revision_reason' AS revision_reason, complete, events, digest, received_at
