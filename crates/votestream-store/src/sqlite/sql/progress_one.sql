SELECT partition, epoch, engine, start_offset, next_offset, leader_epoch, counted, duplicate, rejected, skipped, flushes, minute,
    log_end, as_of_ms, leaves, chain, open_records, open_digest, totals, reasons,
    sealed_offset, outside
FROM progress
WHERE election = ?1 AND partition = ?2
