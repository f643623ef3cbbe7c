-- The highest revision of each minute that was exported, in a range.
SELECT minute, max(revision) AS revision
FROM revision_cutoffs
WHERE minute >= {from:DateTime('UTC')} AND minute < {to:DateTime('UTC')}
GROUP BY minute
