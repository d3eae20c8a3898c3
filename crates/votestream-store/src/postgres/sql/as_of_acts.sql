SELECT greatest(
    coalesce((SELECT at_ms FROM votestream.desk_act WHERE election = $1 ORDER BY number DESC LIMIT 1), 0),
    coalesce((SELECT at_ms FROM votestream.release WHERE election = $1 ORDER BY number DESC LIMIT 1), 0))
