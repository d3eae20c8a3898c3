-- An attempt of which no file is left.
INSERT INTO votestream.attempt (election, attempt, epoch)
SELECT $1::integer, $2::bytea, 0 WHERE NOT EXISTS (SELECT 1 FROM votestream.voter_file WHERE election = $1::integer AND attempt = $2::bytea)
ON CONFLICT DO NOTHING
