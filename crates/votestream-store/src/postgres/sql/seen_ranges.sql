SELECT from_offset, part, to_offset, entries, octet_length(ids)::bigint
FROM votestream.seen
WHERE election = $1 AND partition = $2
ORDER BY from_offset, part
