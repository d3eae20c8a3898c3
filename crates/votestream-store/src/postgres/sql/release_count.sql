UPDATE votestream.election SET releases = releases + 1 WHERE number = $1 RETURNING releases
