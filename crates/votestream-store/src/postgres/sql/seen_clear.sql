DELETE FROM votestream.seen WHERE election = $1
