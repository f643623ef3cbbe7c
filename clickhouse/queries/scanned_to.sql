-- Up to which arrival events were looked through for the late ledger.
SELECT max(scanned_to) FROM late_scans
