SELECT number, definition, definition_hash, log_kind, log_id, partitions, partitioners, desk_acts, releases, created_ms
FROM election
WHERE id = ?1
