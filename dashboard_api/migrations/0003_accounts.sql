-- What became of each minute's messages, by the newest accounting of it.
CREATE TABLE accounts (
    window_start  timestamptz PRIMARY KEY,
    acknowledged  bigint      NOT NULL CHECK (acknowledged >= 0),
    reported      bigint      NOT NULL CHECK (reported >= 0),
    duplicates    bigint      NOT NULL CHECK (duplicates >= 0),
    late          bigint      NOT NULL CHECK (late >= 0),
    dead_lettered bigint      NOT NULL CHECK (dead_lettered >= 0),
    pending       bigint      NOT NULL CHECK (pending >= 0),
    missing       bigint      NOT NULL CHECK (missing >= 0),
    unexpected    bigint      NOT NULL CHECK (unexpected >= 0),
    adds_up       boolean     NOT NULL,
    checked_at    timestamptz NOT NULL,
    body          jsonb       NOT NULL,
    CHECK (date_trunc('minute', window_start, 'UTC') = window_start),
    CHECK (acknowledged = reported + duplicates + late + dead_lettered + pending + missing)
);

COMMENT ON TABLE accounts IS 'Accounts of minutes as posted; of two of a minute the one that was checked later stays.';
