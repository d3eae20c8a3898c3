SELECT from_offset, part, to_offset, entries, ids
FROM votestream.seen
WHERE election = $1 AND partition = $2 AND from_offset >= $3 AND from_offset < $4
ORDER BY from_offset, part
