INSERT INTO votestream.region (election, number, code, name, public)
SELECT $1, r.* FROM unnest($2::integer[], $3::text[], $4::text[], $5::boolean[]) AS r
