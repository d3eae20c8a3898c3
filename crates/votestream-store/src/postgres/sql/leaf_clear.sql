DELETE FROM votestream.leaf WHERE election = $1
