SELECT current_setting('server_version'),
    current_user::text,
    coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false),
    (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
    pg_is_in_recovery(),
    current_setting('default_transaction_read_only') = 'on',
    (SELECT bool_and(has_table_privilege(name, 'SELECT') AND has_table_privilege(name, 'INSERT') AND has_table_privilege(name, 'UPDATE'))
        FROM unnest(ARRAY['votestream.election', 'votestream.progress', 'votestream.tally', 'votestream.timeline', 'votestream.seen',
            'votestream.rejected', 'votestream.leaf']) AS name),
    has_table_privilege('votestream.seen', 'SELECT') OR has_table_privilege('votestream.tally', 'SELECT')
