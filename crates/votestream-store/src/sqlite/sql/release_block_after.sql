SELECT kind, area, candidate
FROM release_block
WHERE election = ?1 AND (kind, area, candidate) > (?2, ?3, ?4)
ORDER BY kind, area, candidate
LIMIT 1
