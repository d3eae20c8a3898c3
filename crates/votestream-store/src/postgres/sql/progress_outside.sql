-- In the transaction of a flush, under its fences.
UPDATE votestream.progress
SET sealed_offset = $3, outside = outside + $4
WHERE election = $1 AND partition = $2
