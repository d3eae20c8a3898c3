INSERT INTO votestream.voter_file (election, attempt, path, rows, voters)
SELECT $1::integer, $2::bytea, f.path, f.rows, f.voters FROM unnest($3::text[], $4::bigint[], $5::bigint[]) AS f (path, rows, voters)
