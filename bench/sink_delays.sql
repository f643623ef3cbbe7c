-- Seconds from an event to its row: median and 95th percentile.
SELECT quantileExact(0.5)(delay), quantileExact(0.95)(delay)
FROM (SELECT dateDiff('millisecond', event_timestamp, arrived_at) / 1000 AS delay FROM events)
