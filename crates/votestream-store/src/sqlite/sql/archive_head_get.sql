SELECT number, digest, entry FROM archive_head WHERE archive = ?1
