PRAGMA application_id = 1987015781;
PRAGMA user_version = 3;
CREATE TABLE archive_head (
    archive TEXT    NOT NULL PRIMARY KEY,
    number  INTEGER NOT NULL CHECK (number >= 0),
    digest  BLOB    NOT NULL CHECK (length(digest) = 32),
    entry   BLOB    NOT NULL
) STRICT;
CREATE TABLE attempt (
    election INTEGER NOT NULL,
    attempt  BLOB    NOT NULL CHECK (length(attempt) = 16),
    epoch    INTEGER NOT NULL CHECK (epoch >= 0),
    PRIMARY KEY (election, attempt)
) STRICT, WITHOUT ROWID;
INSERT INTO attempt VALUES (1, X'00000000000000000000000000000001', 2);
CREATE TABLE desk_act (
    election INTEGER NOT NULL,
    number   INTEGER NOT NULL CHECK (number > 0),
    action   TEXT    NOT NULL CHECK (action IN ('close', 'reopen', 'hold')),
    region   TEXT,
    at_ms    INTEGER NOT NULL,
    counted  INTEGER NOT NULL,
    PRIMARY KEY (election, number)
) STRICT, WITHOUT ROWID;
INSERT INTO desk_act VALUES (1, 1, 'close', NULL, 1730000000000, 36);
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
INSERT INTO election VALUES (1, 'golden', '{"id":"golden","name":"Golden","time_zone":"UTC","simulated":false,"expected_exact":false,"rule":"plurality","genders":["Unknown"],"bands":[],"duplicate":"first","min_cell":10,"mapping":"poll","candidates":[{"id":"yes","name":"Yes","party":"","colour":"blue"},{"id":"no","name":"No","party":"","colour":"vermilion"}],"regions":[]}', X'ea339e7788841d46240cfead24a5122cd39adbc2a1e5181a434157bbd409d1a1', 'dir', X'00000000000000000000000000000007', 2, 'murmur2,crc32', 1730000000000, 1, 1);
CREATE TABLE leaf (
    election  INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    number    INTEGER NOT NULL,
    records   INTEGER NOT NULL CHECK (records BETWEEN 0 AND 65536),
    digest    BLOB    NOT NULL CHECK (length(digest) = 32),
    chain     BLOB    NOT NULL CHECK (length(chain) = 32),
    PRIMARY KEY (election, partition, number)
) STRICT, WITHOUT ROWID;
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
    reasons      BLOB    NOT NULL, sealed_offset INTEGER CHECK (sealed_offset >= start_offset AND sealed_offset < next_offset), outside INTEGER NOT NULL DEFAULT 0 CHECK (outside >= 0),
    PRIMARY KEY (election, partition),
    -- Every offset passed is accounted for once.
    CHECK (counted + duplicate + rejected + skipped = next_offset - start_offset)
) STRICT, WITHOUT ROWID;
INSERT INTO progress VALUES (1, 0, 2, 'spark', 0, 24, 3, 18, 2, 2, 2, 2, 11, 24, 1730000000000, 0, X'0000000000000000000000000000000000000000000000000000000000000000', 20, X'3d569458f77f6170984be5dc8747e19cb1ce160b6fae374f146fd9a4fe5daa9f', X'0a08', X'000000000000020000000000', NULL, 0);
INSERT INTO progress VALUES (1, 1, 2, 'spark', 0, 24, 3, 18, 2, 2, 2, 2, 12, 24, 1730000000000, 0, X'0000000000000000000000000000000000000000000000000000000000000000', 20, X'79adf4745c447d74558558ae7946ccb26aee2c542aa3a8bab46466e68313893d', X'0a08', X'000000000000020000000000', NULL, 0);
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
INSERT INTO rejected VALUES (1, 0, 11, 24, 2, X'000000000000000000000000', X'00070c07');
INSERT INTO rejected VALUES (1, 1, 11, 24, 2, X'000000000000000000000000', X'00070c07');
CREATE TABLE release (
    election INTEGER NOT NULL,
    number   INTEGER NOT NULL CHECK (number > 0),
    minute   INTEGER NOT NULL,
    at_ms    INTEGER NOT NULL,
    PRIMARY KEY (election, number)
) STRICT, WITHOUT ROWID;
INSERT INTO release VALUES (1, 1, 12, 1730000000000);
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
INSERT INTO release_block VALUES (1, 'gender', -1, 1, 12, 1, X'10');
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
INSERT INTO seen VALUES (1, 0, 0, 0, 12, 9, X'010009000000000000000380969800000000000500000029a594524a');
INSERT INTO seen VALUES (1, 0, 12, 0, 24, 9, X'0100090000000000000003c0d8a700000000000500000029a594524a');
INSERT INTO seen VALUES (1, 1, 0, 0, 12, 9, X'010009000000000000000381969800000000000500000029a594524a');
INSERT INTO seen VALUES (1, 1, 12, 0, 24, 9, X'0100090000000000000003011bb700000000000500000029a594524a');
CREATE TABLE store (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    uuid       BLOB    NOT NULL CHECK (length(uuid) = 16),
    created_ms INTEGER NOT NULL
) STRICT;
INSERT INTO store VALUES (1, X'00112233445546778899aabbccddeeff', 0);
CREATE TABLE tally (
    election  INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    region    INTEGER NOT NULL,
    cells     BLOB    NOT NULL,
    PRIMARY KEY (election, partition, region)
) STRICT, WITHOUT ROWID;
INSERT INTO tally VALUES (1, 0, 0, X'0a08');
INSERT INTO tally VALUES (1, 1, 0, X'0a08');
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
INSERT INTO timeline VALUES (1, 0, 10, 9, 1, 1, 1, 1730000000000, X'0504');
INSERT INTO timeline VALUES (1, 0, 11, 18, 2, 2, 2, 1730000000000, X'0a08');
INSERT INTO timeline VALUES (1, 1, 10, 9, 1, 1, 1, 1730000000000, X'0504');
INSERT INTO timeline VALUES (1, 1, 12, 18, 2, 2, 2, 1730000000000, X'0a08');
CREATE TABLE voter_file (
    election INTEGER NOT NULL,
    attempt  BLOB    NOT NULL CHECK (length(attempt) = 16),
    path     TEXT    NOT NULL,
    rows     INTEGER NOT NULL CHECK (rows >= voters),
    voters   INTEGER NOT NULL CHECK (voters >= 0),
    PRIMARY KEY (election, path)
) STRICT, WITHOUT ROWID;
INSERT INTO voter_file VALUES (1, X'00000000000000000000000000000002', 'golden/2/part-0.parquet', 0, 0);
