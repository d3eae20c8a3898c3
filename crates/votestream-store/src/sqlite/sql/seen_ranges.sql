SELECT from_offset, part, to_offset, entries, length(ids)
FROM seen
WHERE election = ?1 AND partition = ?2
ORDER BY from_offset, part
