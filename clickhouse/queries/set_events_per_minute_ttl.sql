ALTER TABLE events_per_minute MODIFY TTL toDateTime(last_arrived_at) + toIntervalDay({ttl_days:UInt16})
SETTINGS materialize_ttl_after_modify = 0
