-- Results store in PostgreSQL, schema 4: a flush whose cost grows with what it writes, where its timeline's grew with the square.
-- See 0001_results.sql for what the arrays are.

CREATE OR REPLACE FUNCTION votestream.flush(
    of_election integer, now_ms bigint, width integer, cells integer, narrowed text,
    f_partition integer[], f_from bigint[], f_epoch bigint[], f_engine text[], f_to bigint[], f_leader_epoch integer[],
    f_counted bigint[], f_duplicate bigint[], f_rejected bigint[], f_skipped bigint[], f_minute bigint[], f_log_end bigint[],
    f_leaves bigint[], f_chain bytea[], f_open_records bigint[], f_open_digest bytea[], f_reasons bytea[], f_totals bigint[],
    t_partition integer[], t_region integer[], t_upto integer[], t_cell integer[], t_add bigint[],
    m_partition integer[], m_minute bigint[], m_counted bigint[], m_duplicate bigint[], m_rejected bigint[], m_skipped bigint[],
    m_totals bigint[],
    s_partition integer[], s_from bigint[], s_part integer[], s_to bigint[], s_entries bigint[], s_ids bytea[],
    r_partition integer[], r_from bigint[], r_to bigint[], r_records bigint[], r_before bytea[], r_packed bytea[],
    l_partition integer[], l_number bigint[], l_records bigint[], l_digest bytea[], l_chain bytea[]
) RETURNS bigint LANGUAGE plpgsql AS $flush$
DECLARE
    failed integer[] := '{}';
    row_votes bigint[];
    found_row boolean;
    at integer := 1;
    cell integer;
    left_over text;
    sequence bigint;
BEGIN
    FOR i IN 1 .. coalesce(cardinality(f_partition), 0) LOOP
        UPDATE votestream.progress AS p
        SET next_offset = f_to[i], leader_epoch = f_leader_epoch[i], counted = p.counted + f_counted[i],
            duplicate = p.duplicate + f_duplicate[i], rejected = p.rejected + f_rejected[i], skipped = p.skipped + f_skipped[i],
            flushes = p.flushes + 1, minute = f_minute[i], log_end = f_log_end[i], as_of_ms = now_ms,
            leaves = p.leaves + f_leaves[i], chain = f_chain[i], open_records = f_open_records[i],
            open_digest = f_open_digest[i], reasons = f_reasons[i], totals = f_totals[(i - 1) * width + 1 : i * width]
        WHERE p.election = of_election AND p.partition = f_partition[i] AND p.next_offset = f_from[i] AND p.epoch = f_epoch[i]
            AND p.engine = f_engine[i];
        IF NOT FOUND THEN
            failed := failed || f_partition[i];
        END IF;
    END LOOP;
    IF cardinality(failed) > 0 THEN
        RAISE EXCEPTION 'fenced' USING ERRCODE = 'VS001', DETAIL = array_to_string(failed, ',');
    END IF;

    FOR i IN 1 .. coalesce(cardinality(t_partition), 0) LOOP
        SELECT t.votes INTO row_votes FROM votestream.tally AS t
        WHERE t.election = of_election AND t.partition = t_partition[i] AND t.region = t_region[i];
        found_row := FOUND;
        IF NOT found_row THEN
            row_votes := array_fill(0::bigint, ARRAY[cells]);
        END IF;
        WHILE at <= t_upto[i] LOOP
            cell := t_cell[at];
            row_votes[cell] := row_votes[cell] + t_add[at];
            IF row_votes[cell] < 0 THEN
                RAISE EXCEPTION 'negative' USING ERRCODE = 'VS002', DETAIL = t_partition[i] || ',' || row_votes[cell];
            END IF;
            at := at + 1;
        END LOOP;
        IF found_row THEN
            UPDATE votestream.tally AS t SET votes = row_votes
            WHERE t.election = of_election AND t.partition = t_partition[i] AND t.region = t_region[i];
        ELSE
            INSERT INTO votestream.tally (election, partition, region, votes)
            VALUES (of_election, t_partition[i], t_region[i], row_votes);
        END IF;
    END LOOP;

    -- A slice of a parameter copies the whole parameter first, once a minute; a slice of a row's column does not.
    WITH every AS MATERIALIZED (SELECT m_totals AS totals)
    INSERT INTO votestream.timeline AS m
        (election, partition, minute, counted, duplicate, rejected, skipped, as_of_ms, totals)
    SELECT of_election, m_partition[n.place], m_minute[n.place], m_counted[n.place], m_duplicate[n.place],
        m_rejected[n.place], m_skipped[n.place], now_ms, every.totals[(n.place - 1) * width + 1 : n.place * width]
    FROM every CROSS JOIN LATERAL generate_series(1, cardinality(every.totals) / width) AS n (place)
    ON CONFLICT (election, partition, minute) DO UPDATE
    SET counted = excluded.counted, duplicate = excluded.duplicate, rejected = excluded.rejected,
        skipped = excluded.skipped, as_of_ms = excluded.as_of_ms, totals = excluded.totals;

    -- Megabytes in a few rows: one by one they are not gathered in a temporary file on the way.
    FOR i IN 1 .. coalesce(cardinality(s_partition), 0) LOOP
        INSERT INTO votestream.seen (election, partition, from_offset, part, to_offset, entries, ids)
        VALUES (of_election, s_partition[i], s_from[i], s_part[i], s_to[i], s_entries[i], s_ids[i]);
    END LOOP;

    IF cardinality(r_partition) > 0 THEN
        INSERT INTO votestream.rejected (election, partition, from_offset, to_offset, records, before, packed)
        SELECT of_election, r.* FROM unnest(r_partition, r_from, r_to, r_records, r_before, r_packed) AS r
        ON CONFLICT (election, partition, from_offset) DO UPDATE
        SET to_offset = excluded.to_offset, records = excluded.records, packed = excluded.packed;
    END IF;

    IF cardinality(l_partition) > 0 THEN
        INSERT INTO votestream.leaf (election, partition, number, records, digest, chain)
        SELECT of_election, l.* FROM unnest(l_partition, l_number, l_records, l_digest, l_chain) AS l;
    END IF;

    -- Other workers narrow the same set: what is left is decided under the lock of the election's row.
    IF narrowed IS NOT NULL THEN
        SELECT CASE
            WHEN e.partitioners = 'murmur2,crc32' THEN narrowed
            WHEN narrowed IN ('murmur2,crc32', e.partitioners) THEN e.partitioners
            ELSE '' END
        INTO left_over FROM votestream.election AS e WHERE e.number = of_election FOR NO KEY UPDATE;
        IF left_over = '' THEN
            RAISE EXCEPTION 'no partitioner left' USING ERRCODE = 'VS003';
        END IF;
        UPDATE votestream.election AS e SET partitioners = left_over
        WHERE e.number = of_election AND e.partitioners <> left_over;
    END IF;

    SELECT (SELECT coalesce(sum(p.flushes), 0) FROM votestream.progress AS p WHERE p.election = of_election)
        + e.desk_acts + e.releases
    INTO sequence FROM votestream.election AS e WHERE e.number = of_election;
    RETURN sequence;
END
$flush$;
