SELECT coalesce(max(epoch), 0) FROM progress WHERE election = ?1
