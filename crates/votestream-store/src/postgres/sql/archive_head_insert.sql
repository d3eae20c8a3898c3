INSERT INTO votestream.archive_head (archive, number, digest, entry) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
