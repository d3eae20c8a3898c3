SELECT coalesce(max(version), 0) FROM votestream.schema_version
