-- The minutes of a range that have aggregates.
SELECT DISTINCT minute FROM minute_aggregates
WHERE minute >= {from:DateTime('UTC')} AND minute < {to:DateTime('UTC')}
