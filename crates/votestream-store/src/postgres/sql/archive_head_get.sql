SELECT number, digest, entry FROM votestream.archive_head WHERE archive = $1
