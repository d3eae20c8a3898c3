UPDATE progress SET epoch = epoch + 1, engine = ?3 WHERE election = ?1 AND partition = ?2
