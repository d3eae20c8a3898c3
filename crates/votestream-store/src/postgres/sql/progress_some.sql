SELECT partition, epoch, engine, start_offset, next_offset, leader_epoch, counted, duplicate, rejected, skipped, flushes, minute,
    log_end, as_of_ms, leaves, chain, open_records, open_digest, reasons, totals,
    sealed_offset, outside
FROM votestream.progress
WHERE election = $1 AND partition = ANY ($2)
ORDER BY partition
