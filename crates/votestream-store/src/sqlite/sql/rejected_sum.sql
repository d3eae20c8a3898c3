SELECT coalesce(sum(records), 0) FROM rejected WHERE election = ?1 AND partition = ?2
