SELECT minute, counted, duplicate, rejected, skipped, as_of_ms, totals
FROM timeline
WHERE election = ?1 AND partition = ?2 AND minute BETWEEN ?3 AND ?4
ORDER BY minute
