SELECT start_offset FROM progress WHERE election = ?1 ORDER BY partition
