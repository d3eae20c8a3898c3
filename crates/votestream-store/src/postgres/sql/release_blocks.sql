-- Of each block its newest release up to a minute: from key to key through the index, however many minutes lie behind them.
WITH RECURSIVE keys AS (
    (SELECT kind, area, candidate FROM votestream.release_block
    WHERE election = $1 ORDER BY kind, area, candidate LIMIT 1)
    UNION ALL
    SELECT n.kind, n.area, n.candidate FROM keys AS k CROSS JOIN LATERAL (
        SELECT b.kind, b.area, b.candidate FROM votestream.release_block AS b
        WHERE b.election = $1 AND (b.kind, b.area, b.candidate) > (k.kind, k.area, k.candidate)
        ORDER BY b.kind, b.area, b.candidate LIMIT 1
    ) AS n
)
SELECT k.kind, k.area, k.candidate, l.cells
FROM keys AS k CROSS JOIN LATERAL (
    SELECT b.cells FROM votestream.release_block AS b
    WHERE b.election = $1 AND b.kind = k.kind AND b.area = k.area AND b.candidate = k.candidate AND b.minute <= $2
    ORDER BY b.minute DESC LIMIT 1
) AS l
