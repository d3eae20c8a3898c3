SELECT region, cells FROM tally WHERE election = ?1 AND partition = ?2
