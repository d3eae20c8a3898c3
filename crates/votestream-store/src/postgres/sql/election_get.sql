SELECT number, definition, definition_hash, log_kind, log_id, partitions, partitioners, desk_acts, releases
FROM votestream.election
WHERE id = $1
