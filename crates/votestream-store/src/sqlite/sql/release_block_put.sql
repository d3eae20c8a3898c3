INSERT INTO release_block (election, kind, area, candidate, minute, number, cells)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (election, kind, area, candidate, minute) DO UPDATE SET number = excluded.number, cells = excluded.cells
