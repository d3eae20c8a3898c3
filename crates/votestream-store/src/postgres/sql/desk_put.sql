INSERT INTO votestream.desk_act (election, number, action, region, at_ms, counted) VALUES ($1, $2, $3, $4, $5, $6)
