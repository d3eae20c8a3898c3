DELETE FROM election WHERE number = ?1
