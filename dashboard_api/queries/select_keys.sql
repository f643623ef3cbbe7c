-- The rows of these keys, without bodies.
SELECT window_start, revision, digest, received_at, NULL AS body
FROM reports
WHERE (window_start, revision) IN (SELECT * FROM unnest(%(window)s::timestamptz[], %(revision)s::integer[]))
