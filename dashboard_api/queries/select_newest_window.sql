SELECT max(window_start) FROM reports
