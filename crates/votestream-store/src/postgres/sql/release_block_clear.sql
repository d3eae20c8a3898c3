DELETE FROM votestream.release_block WHERE election = $1
