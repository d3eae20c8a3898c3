INSERT INTO voter_file (election, attempt, path, rows, voters) VALUES (?1, ?2, ?3, ?4, ?5)
