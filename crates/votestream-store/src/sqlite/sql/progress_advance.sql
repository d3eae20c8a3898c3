-- The fence: it must hit its row, or the flush is not applied.
UPDATE progress
SET next_offset = ?1, leader_epoch = ?2, counted = counted + ?3, duplicate = duplicate + ?4, rejected = rejected + ?5,
    skipped = skipped + ?6, flushes = flushes + 1, minute = ?7, log_end = ?8, as_of_ms = ?9, leaves = leaves + ?10, chain = ?11,
    open_records = ?12, open_digest = ?13, totals = ?14, reasons = ?15,
    sealed_offset = ?21, outside = outside + ?22
WHERE election = ?16 AND partition = ?17 AND next_offset = ?18 AND epoch = ?19 AND engine = ?20
