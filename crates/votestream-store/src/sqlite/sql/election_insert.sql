INSERT INTO election (id, definition, definition_hash, log_kind, log_id, partitions, partitioners, created_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
ON CONFLICT (id) DO NOTHING
