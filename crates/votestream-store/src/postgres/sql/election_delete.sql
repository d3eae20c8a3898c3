DELETE FROM votestream.election WHERE number = $1
