INSERT INTO votestream.voter_file (election, attempt, path, rows, voters)
SELECT $1, $2, f.path, f.rows, f.voters FROM unnest($3::text[], $4::bigint[], $5::bigint[]) AS f (path, rows, voters)
