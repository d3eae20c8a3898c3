SELECT region, votes FROM votestream.tally WHERE election = $1 AND partition = $2
