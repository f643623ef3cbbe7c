-- Rows stored and events among them.
SELECT count(), uniqExact(event_id) FROM events
