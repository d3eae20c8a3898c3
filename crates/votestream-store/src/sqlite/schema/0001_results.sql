-- Results store, schema 1. Every column is explained in docs/formats.md.
-- Numbers packed into a BLOB are LEB128 varints. Times are milliseconds, minutes are minutes, since 1970-01-01T00:00Z.

CREATE TABLE store (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    uuid       BLOB    NOT NULL CHECK (length(uuid) = 16),
    created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE election (
    number          INTEGER PRIMARY KEY,
    id              TEXT    NOT NULL UNIQUE,
    definition      TEXT    NOT NULL,
    definition_hash BLOB    NOT NULL CHECK (length(definition_hash) = 32),
    log_kind        TEXT    NOT NULL,
    log_id          BLOB    NOT NULL CHECK (length(log_id) = 16),
    partitions      INTEGER NOT NULL CHECK (partitions > 0),
    partitioners    TEXT    NOT NULL,
    created_ms      INTEGER NOT NULL,
    desk_acts       INTEGER NOT NULL DEFAULT 0,
    releases        INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE progress (
    election     INTEGER NOT NULL,
    partition    INTEGER NOT NULL,
    epoch        INTEGER NOT NULL CHECK (epoch >= 0),
    engine       TEXT    NOT NULL CHECK (engine IN ('native', 'spark')),
    start_offset INTEGER NOT NULL CHECK (start_offset >= 0),
    next_offset  INTEGER NOT NULL,
    leader_epoch INTEGER NOT NULL,
    counted      INTEGER NOT NULL CHECK (counted >= 0),
    duplicate    INTEGER NOT NULL CHECK (duplicate >= 0),
    rejected     INTEGER NOT NULL CHECK (rejected >= 0),
    skipped      INTEGER NOT NULL CHECK (skipped >= 0),
    flushes      INTEGER NOT NULL,
    minute       INTEGER,
    log_end      INTEGER NOT NULL,
    as_of_ms     INTEGER,
    leaves       INTEGER NOT NULL,
    chain        BLOB    NOT NULL CHECK (length(chain) = 32),
    open_records INTEGER NOT NULL,
    open_digest  BLOB    NOT NULL CHECK (length(open_digest) = 32),
    totals       BLOB    NOT NULL,
    reasons      BLOB    NOT NULL,
    PRIMARY KEY (election, partition),
    -- Every offset passed is accounted for once.
    CHECK (counted + duplicate + rejected + skipped = next_offset - start_offset)
) STRICT, WITHOUT ROWID;

CREATE TABLE tally (
    election  INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    region    INTEGER NOT NULL,
    cells     BLOB    NOT NULL,
    PRIMARY KEY (election, partition, region)
) STRICT, WITHOUT ROWID;

CREATE TABLE timeline (
    election  INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    minute    INTEGER NOT NULL,
    counted   INTEGER NOT NULL,
    duplicate INTEGER NOT NULL,
    rejected  INTEGER NOT NULL,
    skipped   INTEGER NOT NULL,
    as_of_ms  INTEGER NOT NULL,
    totals    BLOB    NOT NULL,
    PRIMARY KEY (election, partition, minute)
) STRICT, WITHOUT ROWID;

-- Large rows: a plain table with an index beside it.
CREATE TABLE seen (
    election    INTEGER NOT NULL,
    partition   INTEGER NOT NULL,
    from_offset INTEGER NOT NULL,
    part        INTEGER NOT NULL,
    to_offset   INTEGER NOT NULL CHECK (to_offset > from_offset),
    entries     INTEGER NOT NULL CHECK (entries >= 0),
    ids         BLOB    NOT NULL CHECK (length(ids) <= 1048576),
    PRIMARY KEY (election, partition, from_offset, part)
) STRICT;

CREATE TABLE rejected (
    election    INTEGER NOT NULL,
    partition   INTEGER NOT NULL,
    from_offset INTEGER NOT NULL,
    to_offset   INTEGER NOT NULL CHECK (to_offset > from_offset),
    records     INTEGER NOT NULL CHECK (records > 0),
    before      BLOB    NOT NULL,
    packed      BLOB    NOT NULL,
    PRIMARY KEY (election, partition, from_offset)
) STRICT;

CREATE TABLE leaf (
    election  INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    number    INTEGER NOT NULL,
    records   INTEGER NOT NULL CHECK (records BETWEEN 0 AND 65536),
    digest    BLOB    NOT NULL CHECK (length(digest) = 32),
    chain     BLOB    NOT NULL CHECK (length(chain) = 32),
    PRIMARY KEY (election, partition, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE desk_act (
    election INTEGER NOT NULL,
    number   INTEGER NOT NULL CHECK (number > 0),
    action   TEXT    NOT NULL CHECK (action IN ('close', 'reopen', 'hold')),
    region   TEXT,
    at_ms    INTEGER NOT NULL,
    counted  INTEGER NOT NULL,
    PRIMARY KEY (election, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE release (
    election INTEGER NOT NULL,
    number   INTEGER NOT NULL CHECK (number > 0),
    minute   INTEGER NOT NULL,
    at_ms    INTEGER NOT NULL,
    PRIMARY KEY (election, number)
) STRICT, WITHOUT ROWID;

-- area: the region's place in the definition, or -1 for the nation.
CREATE TABLE release_block (
    election  INTEGER NOT NULL,
    kind      TEXT    NOT NULL,
    area      INTEGER NOT NULL CHECK (area >= -1),
    candidate INTEGER NOT NULL,
    minute    INTEGER NOT NULL,
    number    INTEGER NOT NULL,
    cells     BLOB    NOT NULL,
    PRIMARY KEY (election, kind, area, candidate, minute)
) STRICT, WITHOUT ROWID;
