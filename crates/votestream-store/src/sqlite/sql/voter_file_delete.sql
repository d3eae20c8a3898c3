DELETE FROM voter_file WHERE election = ?1 AND path = ?2 RETURNING rows, voters, attempt
