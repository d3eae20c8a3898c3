SELECT coalesce(sum(records), 0)::bigint FROM votestream.rejected WHERE election = $1 AND partition = $2
