SELECT max(
    coalesce((SELECT at_ms FROM desk_act WHERE election = ?1 ORDER BY number DESC LIMIT 1), 0),
    coalesce((SELECT at_ms FROM release WHERE election = ?1 ORDER BY number DESC LIMIT 1), 0))
