DELETE FROM votestream.voter_file WHERE election = $1
