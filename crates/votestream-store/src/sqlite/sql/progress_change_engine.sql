-- In the transaction that moves the partition's voters, under its fence.
UPDATE progress SET epoch = epoch + 1, engine = ?3, outside = ?4 WHERE election = ?1 AND partition = ?2
