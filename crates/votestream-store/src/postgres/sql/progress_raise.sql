-- Taking over: whoever was sealed under an older epoch fails the fence from here on. Only by an engine that finds all voters where it
-- looks for them: the native one in seen, its leaves hashed; the other in files.
UPDATE votestream.progress SET epoch = epoch + 1, engine = $3
WHERE election = $1 AND partition = $2 AND CASE $3 WHEN 'native' THEN outside = 0 AND sealed_offset IS NULL ELSE outside = counted END
