-- Taking over: whoever was sealed under an older epoch fails the fence from here on.
UPDATE votestream.progress SET epoch = epoch + 1, engine = $3 WHERE election = $1 AND partition = $2
