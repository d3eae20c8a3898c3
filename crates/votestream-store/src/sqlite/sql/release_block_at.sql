SELECT cells
FROM release_block
WHERE election = ?1 AND kind = ?2 AND area = ?3 AND candidate = ?4 AND minute <= ?5
ORDER BY minute DESC
LIMIT 1
