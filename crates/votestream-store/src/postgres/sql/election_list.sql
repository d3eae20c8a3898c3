SELECT id, definition, created_ms FROM votestream.election ORDER BY number
