INSERT INTO votestream.leaf (election, partition, number, records, digest, chain) VALUES ($1, $2, $3, $4, $5, $6)
