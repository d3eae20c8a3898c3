INSERT INTO votestream.schema_version (version) VALUES ($1)
