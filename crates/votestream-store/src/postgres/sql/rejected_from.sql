SELECT from_offset, to_offset, records, before, packed
FROM votestream.rejected
WHERE election = $1 AND partition = $2 AND to_offset > $3
    AND from_offset >= coalesce(
        (SELECT max(from_offset) FROM votestream.rejected WHERE election = $1 AND partition = $2 AND from_offset <= $3), 0)
ORDER BY from_offset
LIMIT 256
