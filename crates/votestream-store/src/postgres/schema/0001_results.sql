-- Results store in PostgreSQL, schema 1. Every column is explained in docs/formats.md.
-- Cells and totals are bigint arrays, so that SQL can read them; other packed columns (bytea) are LEB128 varints.
-- Times are milliseconds, minutes are minutes, since 1970-01-01T00:00Z. No foreign keys: their locks would tie workers to each other.

CREATE TABLE votestream.store (
    one        boolean PRIMARY KEY CHECK (one),
    uuid       bytea   NOT NULL CHECK (length(uuid) = 16),
    created_ms bigint  NOT NULL
);

CREATE TABLE votestream.election (
    number          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id              text    NOT NULL UNIQUE,
    name            text    NOT NULL,
    definition      text    NOT NULL,
    definition_hash bytea   NOT NULL CHECK (length(definition_hash) = 32),
    log_kind        text    NOT NULL,
    log_id          bytea   NOT NULL CHECK (length(log_id) = 16),
    partitions      integer NOT NULL CHECK (partitions > 0),
    partitioners    text    NOT NULL CHECK (partitioners IN ('murmur2,crc32', 'murmur2', 'crc32', '')),
    created_ms      bigint  NOT NULL,
    desk_acts       bigint  NOT NULL DEFAULT 0,
    releases        bigint  NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- number: the place in the definition. public: whether its results may be shown, as the acts of the desk have it now.
CREATE TABLE votestream.region (
    election integer NOT NULL,
    number   integer NOT NULL CHECK (number >= 0),
    code     text,
    name     text,
    public   boolean NOT NULL,
    PRIMARY KEY (election, number)
) WITH (fillfactor = 70);

CREATE TABLE votestream.candidate (
    election integer NOT NULL,
    number   integer NOT NULL CHECK (number >= 0),
    id       text    NOT NULL,
    name     text    NOT NULL,
    party    text    NOT NULL,
    PRIMARY KEY (election, number)
);

-- Updated in place by every flush: room on the page for the next versions of a row, dead ones swept soon.
CREATE TABLE votestream.progress (
    election     integer NOT NULL,
    partition    integer NOT NULL CHECK (partition >= 0),
    epoch        bigint  NOT NULL CHECK (epoch >= 0),
    engine       text    NOT NULL CHECK (engine IN ('native', 'spark')),
    start_offset bigint  NOT NULL CHECK (start_offset >= 0),
    next_offset  bigint  NOT NULL,
    leader_epoch integer NOT NULL,
    counted      bigint  NOT NULL CHECK (counted >= 0),
    duplicate    bigint  NOT NULL CHECK (duplicate >= 0),
    rejected     bigint  NOT NULL CHECK (rejected >= 0),
    skipped      bigint  NOT NULL CHECK (skipped >= 0),
    flushes      bigint  NOT NULL,
    minute       bigint,
    log_end      bigint  NOT NULL,
    as_of_ms     bigint,
    leaves       bigint  NOT NULL,
    chain        bytea   NOT NULL CHECK (length(chain) = 32),
    open_records bigint  NOT NULL,
    open_digest  bytea   NOT NULL CHECK (length(open_digest) = 32),
    reasons      bytea   NOT NULL,
    totals       bigint[] NOT NULL,
    PRIMARY KEY (election, partition),
    -- Every offset passed is accounted for once.
    CONSTRAINT offsets_accounted_for CHECK (counted + duplicate + rejected + skipped = next_offset - start_offset)
) WITH (fillfactor = 25, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000);

-- Candidate × gender × band of one region, of one partition: no worker ever waits for another's row.
CREATE TABLE votestream.tally (
    election  integer  NOT NULL,
    partition integer  NOT NULL,
    region    integer  NOT NULL CHECK (region >= 0),
    votes     bigint[] NOT NULL,
    PRIMARY KEY (election, partition, region)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 200000);

CREATE TABLE votestream.timeline (
    election  integer  NOT NULL,
    partition integer  NOT NULL,
    minute    bigint   NOT NULL,
    counted   bigint   NOT NULL,
    duplicate bigint   NOT NULL,
    rejected  bigint   NOT NULL,
    skipped   bigint   NOT NULL,
    as_of_ms  bigint   NOT NULL,
    totals    bigint[] NOT NULL,
    PRIMARY KEY (election, partition, minute)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_threshold = 1000);

CREATE TABLE votestream.seen (
    election    integer NOT NULL,
    partition   integer NOT NULL,
    from_offset bigint  NOT NULL,
    part        integer NOT NULL,
    to_offset   bigint  NOT NULL CHECK (to_offset > from_offset),
    entries     bigint  NOT NULL CHECK (entries >= 0),
    ids         bytea   NOT NULL CHECK (length(ids) <= 1048576),
    PRIMARY KEY (election, partition, from_offset, part)
);
-- Packed already: compressing would cost time and gain nothing.
ALTER TABLE votestream.seen ALTER COLUMN ids SET STORAGE EXTERNAL;

CREATE TABLE votestream.rejected (
    election    integer NOT NULL,
    partition   integer NOT NULL,
    from_offset bigint  NOT NULL,
    to_offset   bigint  NOT NULL CHECK (to_offset > from_offset),
    records     bigint  NOT NULL CHECK (records > 0),
    before      bytea   NOT NULL,
    packed      bytea   NOT NULL,
    PRIMARY KEY (election, partition, from_offset)
);
ALTER TABLE votestream.rejected ALTER COLUMN packed SET STORAGE EXTERNAL;

CREATE TABLE votestream.leaf (
    election  integer NOT NULL,
    partition integer NOT NULL,
    number    bigint  NOT NULL,
    records   bigint  NOT NULL CHECK (records BETWEEN 0 AND 65536),
    digest    bytea   NOT NULL CHECK (length(digest) = 32),
    chain     bytea   NOT NULL CHECK (length(chain) = 32),
    PRIMARY KEY (election, partition, number)
);

CREATE TABLE votestream.desk_act (
    election integer NOT NULL,
    number   bigint  NOT NULL CHECK (number > 0),
    action   text    NOT NULL CHECK (action IN ('close', 'reopen', 'hold')),
    region   text,
    at_ms    bigint  NOT NULL,
    counted  bigint  NOT NULL,
    PRIMARY KEY (election, number)
);

CREATE TABLE votestream.release (
    election integer NOT NULL,
    number   bigint  NOT NULL CHECK (number > 0),
    minute   bigint  NOT NULL,
    at_ms    bigint  NOT NULL,
    PRIMARY KEY (election, number)
);

-- area: the region's place in the definition, or -1 for the nation. cells: numbers to 2^64, so packed.
CREATE TABLE votestream.release_block (
    election  integer NOT NULL,
    kind      text    NOT NULL CHECK (kind IN ('gender', 'age', 'age_gender')),
    area      integer NOT NULL CHECK (area >= -1),
    candidate integer NOT NULL,
    minute    bigint  NOT NULL,
    number    bigint  NOT NULL,
    cells     bytea   NOT NULL,
    PRIMARY KEY (election, kind, area, candidate, minute)
);

-- One flush: one call, one statement, so one transaction. Arrays run over partitions in ascending order (f_), over touched regions
-- (t_; t_upto says where a region's cells end), minutes (m_), rows of seen voters (s_), rows of rejects (r_) and leaves (l_).
-- The fence comes first and raises VS001, naming the partitions that failed it: nothing after it can be applied without it.
CREATE FUNCTION votestream.flush(
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

    FOR i IN 1 .. coalesce(cardinality(m_partition), 0) LOOP
        INSERT INTO votestream.timeline AS m
            (election, partition, minute, counted, duplicate, rejected, skipped, as_of_ms, totals)
        VALUES (of_election, m_partition[i], m_minute[i], m_counted[i], m_duplicate[i], m_rejected[i], m_skipped[i], now_ms,
            m_totals[(i - 1) * width + 1 : i * width])
        ON CONFLICT (election, partition, minute) DO UPDATE
        SET counted = excluded.counted, duplicate = excluded.duplicate, rejected = excluded.rejected,
            skipped = excluded.skipped, as_of_ms = excluded.as_of_ms, totals = excluded.totals;
    END LOOP;

    INSERT INTO votestream.seen (election, partition, from_offset, part, to_offset, entries, ids)
    SELECT of_election, s.* FROM unnest(s_partition, s_from, s_part, s_to, s_entries, s_ids) AS s;

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

-- For anyone's SQL: what the API shows, and no more. A region that is held, or under embargo, is in no row and in no sum.
CREATE VIEW votestream.results_by_region AS
SELECT e.id AS election, r.code AS region, r.name AS region_name, c.id AS candidate, c.name AS candidate_name, c.party,
    coalesce(sum(p.totals[r.number * n.candidates + c.number + 1]), 0)::bigint AS votes
FROM votestream.election AS e
JOIN votestream.region AS r ON r.election = e.number AND r.public
JOIN votestream.candidate AS c ON c.election = e.number
CROSS JOIN LATERAL
    (SELECT count(*)::integer AS candidates FROM votestream.candidate AS k WHERE k.election = e.number) AS n
LEFT JOIN votestream.progress AS p ON p.election = e.number
GROUP BY e.number, e.id, r.number, r.code, r.name, c.number, c.id, c.name, c.party
ORDER BY e.number, r.number, c.number;

CREATE VIEW votestream.results AS
SELECT e.id AS election, e.name AS election_name, c.id AS candidate, c.name AS candidate_name, c.party,
    coalesce(v.votes, 0)::bigint AS votes,
    coalesce(v.votes / nullif(sum(v.votes) OVER (PARTITION BY e.number), 0), 0)::double precision AS share,
    q.withheld_regions, q.sequence, q.as_of
FROM votestream.election AS e
JOIN votestream.candidate AS c ON c.election = e.number
LEFT JOIN LATERAL (
    SELECT sum(r.votes) AS votes FROM votestream.results_by_region AS r WHERE r.election = e.id AND r.candidate = c.id
) AS v ON true
CROSS JOIN LATERAL (
    SELECT (SELECT count(*) FROM votestream.region AS r WHERE r.election = e.number AND NOT r.public) AS withheld_regions,
        (SELECT coalesce(sum(p.flushes), 0) FROM votestream.progress AS p WHERE p.election = e.number)::bigint
            + e.desk_acts + e.releases AS sequence,
        (SELECT to_timestamp(max(p.as_of_ms) / 1000.0) FROM votestream.progress AS p WHERE p.election = e.number) AS as_of
) AS q
ORDER BY e.number, c.number;

-- Cumulative: for each minute in which any partition moved, of each partition its latest totals up to it.
CREATE VIEW votestream.results_timeline AS
SELECT e.id AS election, to_timestamp(m.minute * 60) AS minute, c.id AS candidate,
    sum((SELECT coalesce(sum(l.totals[r.number * n.candidates + c.number + 1]), 0)
        FROM votestream.region AS r WHERE r.election = e.number AND r.public))::bigint AS votes
FROM votestream.election AS e
JOIN votestream.candidate AS c ON c.election = e.number
CROSS JOIN LATERAL
    (SELECT count(*)::integer AS candidates FROM votestream.candidate AS k WHERE k.election = e.number) AS n
JOIN LATERAL (SELECT DISTINCT t.minute FROM votestream.timeline AS t WHERE t.election = e.number) AS m ON true
JOIN votestream.progress AS p ON p.election = e.number
CROSS JOIN LATERAL (
    SELECT t.totals FROM votestream.timeline AS t
    WHERE t.election = e.number AND t.partition = p.partition AND t.minute <= m.minute
    ORDER BY t.minute DESC LIMIT 1
) AS l
GROUP BY e.number, e.id, m.minute, c.number, c.id
ORDER BY e.number, m.minute, c.number;
