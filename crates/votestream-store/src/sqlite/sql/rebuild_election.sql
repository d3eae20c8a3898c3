UPDATE election
SET definition = ?2, definition_hash = ?3, log_kind = ?4, log_id = ?5, partitions = ?6, partitioners = ?7, releases = 0
WHERE number = ?1
