SELECT number, records, digest, chain FROM votestream.leaf WHERE election = $1 AND partition = $2 AND number = $3
