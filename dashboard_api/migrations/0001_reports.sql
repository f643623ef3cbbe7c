-- One row per revision of a minute; rows are never updated. The totals are columns so that SQL and
-- dashboards need not open the body.
CREATE TABLE reports (
    window_start timestamptz NOT NULL,
    revision     integer     NOT NULL CHECK (revision >= 0),
    complete     boolean     NOT NULL,
    digest       text        NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    events       bigint      NOT NULL CHECK (events >= 0),
    errors       bigint      NOT NULL CHECK (errors >= 0),
    anomalies    integer     NOT NULL CHECK (anomalies >= 0),
    body         jsonb       NOT NULL,
    received_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (window_start, revision),
    CHECK (date_trunc('minute', window_start, 'UTC') = window_start)
);

COMMENT ON TABLE reports IS 'Minutely reports as posted; (window_start, revision) is the idempotency key.';
COMMENT ON COLUMN reports.digest IS 'SHA-256 of the report without its timings.';
COMMENT ON COLUMN reports.received_at IS 'Freshness is this less the end of the minute.';
