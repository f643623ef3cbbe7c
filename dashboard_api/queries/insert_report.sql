-- Nothing is returned when the key is taken; a concurrent insert of the key is waited for.
INSERT INTO reports (window_start, revision, complete, digest, events, errors, anomalies, body)
VALUES (
    %(window)s, %(revision)s, %(complete)s, %(digest)s, %(events)s, %(errors)s, %(anomalies)s, %(body)s::jsonb
)
ON CONFLICT (window_start, revision) DO NOTHING
RETURNING window_start, revision, digest, received_at, body
