ALTER TABLE revision_cutoffs MODIFY TTL toDateTime(written_at) + toIntervalDay({ttl_days:UInt16})
SETTINGS materialize_ttl_after_modify = 0
