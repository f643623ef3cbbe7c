-- From when to when, and rows of the last day.
SELECT
    toTimeZone(min({column:Identifier}), 'UTC') AS oldest,
    toTimeZone(max({column:Identifier}), 'UTC') AS newest,
    countIf({column:Identifier} >= now() - toIntervalDay(1)) AS last_day
FROM {table:Identifier}
