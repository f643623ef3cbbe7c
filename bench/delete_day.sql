-- What the benchmark put into a day.
ALTER TABLE events DELETE WHERE event_timestamp >= {start:DateTime('UTC')}
    AND event_timestamp < {start:DateTime('UTC')} + toIntervalDay(1)
