SELECT (SELECT coalesce(sum(flushes), 0) FROM progress WHERE election = ?1) + desk_acts + releases
FROM election
WHERE number = ?1
