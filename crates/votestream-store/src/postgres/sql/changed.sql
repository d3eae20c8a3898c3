-- Moves with every commit that a reader could see.
SELECT concat_ws(' ', s.uuid, p.flushes, p.epochs, e.elections, e.acts)
FROM votestream.store AS s,
    (SELECT sum(flushes) AS flushes, sum(epoch) AS epochs FROM votestream.progress) AS p,
    (SELECT count(*) AS elections, sum(desk_acts + releases) AS acts FROM votestream.election) AS e
