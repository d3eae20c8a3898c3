DELETE FROM votestream.candidate WHERE election = $1
