-- Aggregates of exported minutes, read from their objects; the minute windows[i] is of version versions[i].
INSERT INTO minute_aggregates
(
    minute, event_type, version, events, errors, latency_sum_ms, latency_max_ms,
    latency_p50_ms, latency_p90_ms, latency_p95_ms, latency_p99_ms
)
WITH quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(request_latency_ms) AS latency
SELECT
    toDateTime(toStartOfMinute(event_timestamp), 'UTC') AS minute,
    event_type,
    transform(minute, {windows:Array(DateTime('UTC'))}, {versions:Array(UInt32)}, toUInt32(0)),
    count(),
    countIf(status = 'ERROR'),
    sum(request_latency_ms),
    max(request_latency_ms),
    latency[1],
    latency[2],
    latency[3],
    latency[4]
FROM s3({s3_url:String}, {s3_access_key:String}, {s3_secret_key:String}, 'Parquet')
GROUP BY minute, event_type
