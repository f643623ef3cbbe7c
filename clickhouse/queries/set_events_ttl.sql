ALTER TABLE events MODIFY TTL toDateTime(arrived_at) + toIntervalDay({ttl_days:UInt16})
SETTINGS materialize_ttl_after_modify = 0
