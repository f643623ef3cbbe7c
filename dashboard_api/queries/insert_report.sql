-- Nothing is returned when the key is taken; a concurrent insert of the key is waited for. The lock is held until the
-- transaction ends, and with it the notification is sent to all who listen.
SELECT pg_advisory_xact_lock(%(lock)s);
WITH inserted AS (
    INSERT INTO reports (window_start, revision, complete, digest, events, errors, anomalies, body)
    VALUES (
        %(window)s, %(revision)s, %(complete)s, %(digest)s, %(events)s, %(errors)s, %(anomalies)s, %(body)s::jsonb
    )
    ON CONFLICT (window_start, revision) DO NOTHING
    RETURNING window_start, revision, digest, received_at, body
)
SELECT inserted.*, pg_notify(%(channel)s, '') FROM inserted
