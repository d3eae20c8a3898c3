INSERT INTO votestream.attempt (election, attempt, epoch)
SELECT DISTINCT election, attempt, 0 FROM votestream.voter_file WHERE election = $1 ON CONFLICT DO NOTHING
