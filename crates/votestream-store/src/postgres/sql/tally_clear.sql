DELETE FROM votestream.tally WHERE election = $1
