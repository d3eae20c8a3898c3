DELETE FROM votestream.rejected WHERE election = $1
