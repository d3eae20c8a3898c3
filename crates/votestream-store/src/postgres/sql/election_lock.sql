SELECT number FROM votestream.election WHERE id = $1 FOR UPDATE
