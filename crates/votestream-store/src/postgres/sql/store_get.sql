SELECT uuid FROM votestream.store
