ALTER TABLE events MODIFY TTL toDateTime(arrived_at) + toIntervalDay({ttl_days:UInt16})
