-- Held until the transaction ends, so that of several starting processes one migrates and the others wait.
-- A migration may take longer than a request.
SET LOCAL statement_timeout = '10min';
SET LOCAL lock_timeout = '10min';
SELECT pg_advisory_xact_lock(%(key)s)
