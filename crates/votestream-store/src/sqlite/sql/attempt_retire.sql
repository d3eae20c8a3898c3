-- An attempt of which no file is left.
INSERT INTO attempt (election, attempt, epoch)
SELECT ?1, ?2, 0 WHERE NOT EXISTS (SELECT 1 FROM voter_file WHERE election = ?1 AND attempt = ?2)
ON CONFLICT DO NOTHING
