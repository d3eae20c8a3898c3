SELECT number, action, region, at_ms, counted FROM votestream.desk_act WHERE election = $1 ORDER BY number
