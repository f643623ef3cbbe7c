ALTER TABLE minute_aggregates MODIFY TTL toDateTime(computed_at) + toIntervalDay({ttl_days:UInt16})
SETTINGS materialize_ttl_after_modify = 0
