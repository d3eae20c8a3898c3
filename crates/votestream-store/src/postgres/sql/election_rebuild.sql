UPDATE votestream.election
SET name = $2, definition = $3, definition_hash = $4, log_kind = $5, log_id = $6, partitions = $7, partitioners = $8, releases = 0
WHERE number = $1
