-- Under the lock of the progress row no flush and no takeover of the partition goes on.
SELECT epoch, engine FROM votestream.progress WHERE election = $1 AND partition = $2 FOR NO KEY UPDATE
