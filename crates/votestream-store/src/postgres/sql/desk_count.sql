UPDATE votestream.election SET desk_acts = desk_acts + 1 WHERE number = $1 RETURNING desk_acts
