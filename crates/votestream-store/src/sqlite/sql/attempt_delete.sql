DELETE FROM attempt WHERE election = ?1 AND attempt = ?2
