-- How much the schema holds, and whether it has our mark.
SELECT (SELECT count(*) FROM pg_class AS c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')),
    coalesce(
        (SELECT obj_description(c.oid, 'pg_class') = 'schema of the results store of votestream'
        FROM pg_class AS c WHERE c.relnamespace = n.oid AND c.relname = 'schema_version'),
        false)
FROM (SELECT (SELECT oid FROM pg_namespace WHERE nspname = 'votestream') AS oid) AS n
