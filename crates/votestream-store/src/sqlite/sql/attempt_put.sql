-- Only by who counts.
INSERT INTO attempt (election, attempt, epoch)
SELECT ?1, ?2, epoch FROM progress WHERE election = ?1 AND partition = 0 AND epoch = ?3 AND engine = 'spark'
