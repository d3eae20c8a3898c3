UPDATE election SET partitioners = ?2 WHERE number = ?1
