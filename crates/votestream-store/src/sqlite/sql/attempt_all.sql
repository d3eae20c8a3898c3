SELECT attempt, epoch FROM attempt WHERE election = ?1 ORDER BY attempt
