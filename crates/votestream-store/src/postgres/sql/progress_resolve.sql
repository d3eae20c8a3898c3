-- Waits for the transaction in doubt, and makes any late copy of it fail its fence.
UPDATE votestream.progress
SET epoch = epoch + 1
WHERE election = $1 AND partition = $2 AND epoch = $3 AND engine = $4
RETURNING epoch, next_offset
