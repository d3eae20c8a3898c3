SELECT id, definition, created_ms FROM election ORDER BY number
