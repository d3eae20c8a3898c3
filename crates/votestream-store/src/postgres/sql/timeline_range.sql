SELECT partition, minute, counted, duplicate, rejected, skipped, as_of_ms, totals
FROM votestream.timeline
WHERE election = $1 AND minute BETWEEN $2 AND $3
ORDER BY minute, partition
