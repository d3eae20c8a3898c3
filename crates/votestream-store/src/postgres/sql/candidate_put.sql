INSERT INTO votestream.candidate (election, number, id, name, party)
SELECT $1, c.* FROM unnest($2::integer[], $3::text[], $4::text[], $5::text[]) AS c
