INSERT INTO timeline (election, partition, minute, counted, duplicate, rejected, skipped, as_of_ms, totals)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT (election, partition, minute) DO UPDATE
SET counted = excluded.counted, duplicate = excluded.duplicate, rejected = excluded.rejected, skipped = excluded.skipped,
    as_of_ms = excluded.as_of_ms, totals = excluded.totals
