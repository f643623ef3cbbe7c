-- The few minutes whose report is incomplete are found without looking at all others.
CREATE INDEX reports_incomplete ON reports (window_start) WHERE NOT complete;
