INSERT INTO votestream.election (id, name, definition, definition_hash, log_kind, log_id, partitions, partitioners, created_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (id) DO NOTHING
RETURNING number
