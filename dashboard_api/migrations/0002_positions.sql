-- The order in which reports came, for readers who are told of new ones. Inserts take a lock (insert_report.sql), so
-- positions become visible in their order, and who has seen one has seen all below it.
ALTER TABLE reports ADD COLUMN position bigint GENERATED ALWAYS AS IDENTITY;

CREATE UNIQUE INDEX reports_position ON reports (position);

COMMENT ON COLUMN reports.position IS 'Order of arrival; the event id of the stream. Gaps mean nothing.';
