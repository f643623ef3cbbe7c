ALTER TABLE late_ledger MODIFY TTL toDateTime(noted_at) + toIntervalDay({ttl_days:UInt16})
SETTINGS materialize_ttl_after_modify = 0
