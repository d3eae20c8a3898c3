SELECT count(*) FROM leaf WHERE election = ?1 AND partition = ?2
