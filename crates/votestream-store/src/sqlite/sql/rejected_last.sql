SELECT from_offset, to_offset, records, before, packed
FROM rejected
WHERE election = ?1 AND partition = ?2
ORDER BY from_offset DESC
LIMIT 1
