SELECT (SELECT coalesce(sum(voters), 0) FROM votestream.voter_file WHERE election = $1)::bigint,
    (SELECT coalesce(sum(outside), 0) FROM votestream.progress WHERE election = $1)::bigint
