SELECT path, rows, voters FROM voter_file WHERE election = ?1 ORDER BY path
