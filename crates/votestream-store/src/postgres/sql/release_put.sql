INSERT INTO votestream.release (election, number, minute, at_ms) VALUES ($1, $2, $3, $4)
