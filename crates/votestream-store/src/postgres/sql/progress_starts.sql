SELECT start_offset FROM votestream.progress WHERE election = $1 ORDER BY partition
