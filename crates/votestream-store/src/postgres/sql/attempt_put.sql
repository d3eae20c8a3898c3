-- Only by who took the partitions over last.
INSERT INTO votestream.attempt (election, attempt, epoch)
SELECT $1::integer, $2::bytea, epoch FROM votestream.progress WHERE election = $1::integer AND partition = 0 AND epoch = $3
