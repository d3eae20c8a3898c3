INSERT INTO progress (election, partition, epoch, engine, start_offset, next_offset, leader_epoch, counted, duplicate, rejected,
    skipped, flushes, minute, log_end, as_of_ms, leaves, chain, open_records, open_digest, totals, reasons)
VALUES (?1, ?2, ?3, 'native', ?4, ?4, -1, 0, 0, 0, 0, 0, NULL, ?4, NULL, 0, zeroblob(32), 0, ?5, ?6, ?7)
