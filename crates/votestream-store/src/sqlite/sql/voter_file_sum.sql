SELECT (SELECT coalesce(sum(voters), 0) FROM voter_file WHERE election = ?1),
    (SELECT coalesce(sum(outside), 0) FROM progress WHERE election = ?1)
