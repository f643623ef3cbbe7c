-- The highest revision of each minute in [from, to), oldest first.
SELECT
    window_start AS "window",
    revision,
    body ->> 'revision_reason' AS revision_reason,
    complete,
    events,
    digest,
    received_at,
    (
        SELECT coalesce(jsonb_object_agg(progress ->> 'partition', progress -> 'committed_offset'), '{}')
        FROM jsonb_array_elements(body #> '{completeness,partitions}') AS progress
    ) AS cutoff
FROM reports
WHERE (%(from)s IS NULL OR window_start >= %(from)s::timestamptz)
  AND (%(to)s IS NULL OR window_start < %(to)s::timestamptz)
  AND NOT EXISTS (
      SELECT FROM reports AS later WHERE later.window_start = reports.window_start AND later.revision > reports.revision
  )
ORDER BY window_start
LIMIT %(limit)s
