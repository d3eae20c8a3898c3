UPDATE archive_head SET number = ?2, digest = ?3, entry = ?4 WHERE archive = ?1 AND number = ?5 AND digest = ?6
