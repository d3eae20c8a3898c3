INSERT INTO votestream.seen (election, partition, from_offset, part, to_offset, entries, ids)
SELECT $1, $2, $3::bigint, s.part, $4::bigint, s.entries, s.ids
FROM unnest($5::integer[], $6::bigint[], $7::bytea[]) AS s (part, entries, ids)
