DELETE FROM votestream.release WHERE election = $1
