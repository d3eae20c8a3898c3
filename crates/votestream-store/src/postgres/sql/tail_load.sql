-- What a flush goes on from, in one statement and so in one snapshot.
SELECT p.partition, p.epoch, p.engine, p.next_offset, p.start_offset, p.leaves, p.chain, p.reasons, p.totals,
    r.from_offset, r.to_offset, r.records, r.before, r.packed,
    p.open_records, p.open_digest, p.sealed_offset
FROM votestream.progress AS p
LEFT JOIN LATERAL (
    SELECT * FROM votestream.rejected AS r
    WHERE r.election = p.election AND r.partition = p.partition
    ORDER BY r.from_offset DESC LIMIT 1
) AS r ON true
WHERE p.election = $1 AND p.partition = ANY ($2)
