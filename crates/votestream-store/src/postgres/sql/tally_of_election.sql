SELECT region, votes FROM votestream.tally WHERE election = $1
