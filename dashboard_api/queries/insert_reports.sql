-- insert_report.sql for many: columns of equal length, no key twice; in their order, as positions are given in it.
SELECT pg_advisory_xact_lock(%(lock)s);
WITH inserted AS (
    INSERT INTO reports (window_start, revision, complete, digest, events, errors, anomalies, body)
    SELECT window_start, revision, complete, digest, events, errors, anomalies, body::jsonb
    FROM unnest(
        %(window)s::timestamptz[], %(revision)s::integer[], %(complete)s::boolean[], %(digest)s::text[],
        %(events)s::bigint[], %(errors)s::bigint[], %(anomalies)s::integer[], %(body)s::text[]
    ) WITH ORDINALITY
        AS posted (window_start, revision, complete, digest, events, errors, anomalies, body, place)
    ORDER BY place
    ON CONFLICT (window_start, revision) DO NOTHING
    RETURNING window_start, revision, digest, received_at, NULL AS body
)
SELECT inserted.*, pg_notify(%(channel)s, '') FROM inserted
