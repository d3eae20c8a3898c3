INSERT INTO tally (election, partition, region, cells)
VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (election, partition, region) DO UPDATE SET cells = excluded.cells
