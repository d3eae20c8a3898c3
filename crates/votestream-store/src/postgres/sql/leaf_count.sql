SELECT count(*) FROM votestream.leaf WHERE election = $1 AND partition = $2
