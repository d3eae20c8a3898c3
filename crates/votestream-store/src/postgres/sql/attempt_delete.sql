DELETE FROM votestream.attempt WHERE election = $1 AND attempt = $2
