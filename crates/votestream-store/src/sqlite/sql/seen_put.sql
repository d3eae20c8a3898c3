INSERT INTO seen (election, partition, from_offset, part, to_offset, entries, ids) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
