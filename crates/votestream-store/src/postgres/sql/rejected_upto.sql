SELECT from_offset, to_offset, records, before, packed
FROM votestream.rejected
WHERE election = $1 AND partition = $2 AND from_offset < $3
ORDER BY from_offset DESC
LIMIT 256
