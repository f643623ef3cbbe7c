-- Stores accounts that were checked later than those there are; returns the minutes stored.
INSERT INTO accounts (
    window_start, acknowledged, reported, duplicates, late, dead_lettered, pending, missing, unexpected, adds_up,
    checked_at, body
)
SELECT
    posted."window", acknowledged, reported, duplicates, late, dead_lettered, pending, missing, unexpected, adds_up,
    checked_at, body
FROM jsonb_to_recordset(%(accounts)s::jsonb) AS posted (
    "window" timestamptz, acknowledged bigint, reported bigint, duplicates bigint, late bigint, dead_lettered bigint,
    pending bigint, missing bigint, unexpected bigint, adds_up boolean, checked_at timestamptz, body jsonb
)
-- In one order, so that two of these can't wait for each other.
ORDER BY posted."window"
ON CONFLICT (window_start) DO UPDATE SET
    acknowledged = excluded.acknowledged,
    reported = excluded.reported,
    duplicates = excluded.duplicates,
    late = excluded.late,
    dead_lettered = excluded.dead_lettered,
    pending = excluded.pending,
    missing = excluded.missing,
    unexpected = excluded.unexpected,
    adds_up = excluded.adds_up,
    checked_at = excluded.checked_at,
    body = excluded.body
WHERE accounts.checked_at < excluded.checked_at
RETURNING window_start
