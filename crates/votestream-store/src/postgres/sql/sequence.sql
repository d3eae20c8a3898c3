SELECT (SELECT coalesce(sum(flushes), 0) FROM votestream.progress WHERE election = $1)::bigint + desk_acts + releases
FROM votestream.election
WHERE number = $1
