INSERT INTO votestream.release_block (election, kind, area, candidate, minute, number, cells)
SELECT $1, b.kind, b.area, b.candidate, $2, $3, b.cells
FROM unnest($4::text[], $5::integer[], $6::integer[], $7::bytea[]) AS b (kind, area, candidate, cells)
ON CONFLICT (election, kind, area, candidate, minute) DO UPDATE SET number = excluded.number, cells = excluded.cells
