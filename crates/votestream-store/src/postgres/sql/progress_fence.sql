SELECT epoch, engine, next_offset FROM votestream.progress WHERE election = $1 AND partition = $2
