INSERT INTO FUNCTION s3({url:String}, {access_key:String}, {secret_key:String}, 'Parquet')
SETTINGS s3_truncate_on_insert = 1
SELECT event_id, event_timestamp, kafka_partition, kafka_offset
FROM events
WHERE toStartOfMinute(event_timestamp) = {minute:DateTime('UTC')}
ORDER BY event_id, arrived_at, kafka_offset
LIMIT 1 BY event_id
