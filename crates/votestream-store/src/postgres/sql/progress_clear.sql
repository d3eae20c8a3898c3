DELETE FROM votestream.progress WHERE election = $1
