INSERT INTO votestream.progress (election, partition, epoch, engine, start_offset, next_offset, leader_epoch, counted, duplicate,
    rejected, skipped, flushes, minute, log_end, as_of_ms, leaves, chain, open_records, open_digest, reasons, totals)
SELECT $1, s.number - 1, $3, 'native', s.start, s.start, -1, 0, 0, 0, 0, 0, NULL, s.start, NULL, 0, $4, 0, $5, $6, $7
FROM unnest($2::bigint[]) WITH ORDINALITY AS s (start, number)
