-- Accounts of minutes that started, and were checked last, before a time; an account takes less than a kilobyte.
DELETE FROM accounts
WHERE window_start < %(before)s AND checked_at < %(before)s
RETURNING window_start
