SELECT region, cells FROM tally WHERE election = ?1
