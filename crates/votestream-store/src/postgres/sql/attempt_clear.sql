DELETE FROM votestream.attempt WHERE election = $1
