UPDATE votestream.region AS r
SET public = s.public
FROM unnest($2::integer[], $3::boolean[]) AS s (number, public)
WHERE r.election = $1 AND r.number = s.number AND r.public <> s.public
