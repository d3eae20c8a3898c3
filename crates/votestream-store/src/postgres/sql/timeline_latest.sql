SELECT minute, counted, duplicate, rejected, skipped, as_of_ms, totals
FROM votestream.timeline
WHERE election = $1 AND partition = $2 AND minute <= $3
ORDER BY minute DESC
LIMIT 1
