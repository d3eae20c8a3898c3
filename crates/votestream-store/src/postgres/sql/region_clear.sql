DELETE FROM votestream.region WHERE election = $1
