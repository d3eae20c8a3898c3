-- Only by who took the partitions over last.
INSERT INTO attempt (election, attempt, epoch)
SELECT ?1, ?2, epoch FROM progress WHERE election = ?1 AND partition = 0 AND epoch = ?3
