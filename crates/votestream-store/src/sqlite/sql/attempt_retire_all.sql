INSERT INTO attempt (election, attempt, epoch)
SELECT DISTINCT election, attempt, 0 FROM voter_file WHERE election = ?1 ON CONFLICT DO NOTHING
