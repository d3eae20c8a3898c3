SELECT attempt, epoch FROM votestream.attempt WHERE election = $1 ORDER BY attempt
