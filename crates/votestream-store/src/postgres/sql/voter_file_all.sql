SELECT path, rows, voters FROM votestream.voter_file WHERE election = $1 ORDER BY path
