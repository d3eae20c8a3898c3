-- Moves the ledger of a partition behind its own fence: how far it was hashed, epoch and engine.
UPDATE votestream.progress
SET leaves = leaves + $1, chain = $2, open_records = $3, open_digest = $4, as_of_ms = $5, flushes = flushes + 1,
    sealed_offset = nullif($6, next_offset)
WHERE election = $7 AND partition = $8 AND sealed_offset = $9 AND epoch = $10 AND engine = $11 AND next_offset >= $6
