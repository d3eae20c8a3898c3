DELETE FROM votestream.timeline WHERE election = $1
