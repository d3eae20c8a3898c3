-- Who holds what the process waits for: process, name, and whether it is one of ours.
SELECT a.pid, coalesce(a.application_name, ''), coalesce(starts_with(a.application_name, 'votestream-'), false)
FROM unnest(pg_blocking_pids($1)) AS b (pid)
JOIN pg_stat_activity AS a ON a.pid = b.pid
