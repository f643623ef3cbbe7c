-- Accounts of the minutes in [from, to), newest first.
SELECT body
FROM accounts
WHERE (%(from)s IS NULL OR window_start >= %(from)s::timestamptz)
  AND (%(to)s IS NULL OR window_start < %(to)s::timestamptz)
ORDER BY window_start DESC
LIMIT %(limit)s
