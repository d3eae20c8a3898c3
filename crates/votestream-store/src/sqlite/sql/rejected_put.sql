INSERT INTO rejected (election, partition, from_offset, to_offset, records, before, packed)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (election, partition, from_offset) DO UPDATE
SET to_offset = excluded.to_offset, records = excluded.records, packed = excluded.packed
