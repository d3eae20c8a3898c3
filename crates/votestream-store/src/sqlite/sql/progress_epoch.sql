SELECT epoch, engine, next_offset FROM progress WHERE election = ?1 AND partition = ?2
