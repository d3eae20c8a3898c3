SELECT coalesce(max(epoch), 0) FROM votestream.progress WHERE election = $1
