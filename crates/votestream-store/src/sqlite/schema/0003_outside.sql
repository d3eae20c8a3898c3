-- Results store, schema 3: an engine that keeps seen voters in files outside the store and cannot hash leaves of the ledger. Every column
-- is explained in docs/formats.md.

-- How far the ledger is hashed; NULL: as far as is counted.
ALTER TABLE progress ADD COLUMN sealed_offset INTEGER CHECK (sealed_offset >= start_offset AND sealed_offset < next_offset);
-- Voters who lie in files of voter_file; those in seen come on top.
ALTER TABLE progress ADD COLUMN outside INTEGER NOT NULL DEFAULT 0 CHECK (outside >= 0);

-- A file of voters: one that has no row here does not exist, whatever lies there.
CREATE TABLE voter_file (
    election INTEGER NOT NULL,
    attempt  BLOB    NOT NULL CHECK (length(attempt) = 16),
    path     TEXT    NOT NULL,
    rows     INTEGER NOT NULL CHECK (rows >= voters),
    voters   INTEGER NOT NULL CHECK (voters >= 0),
    PRIMARY KEY (election, path)
) STRICT, WITHOUT ROWID;

-- An attempt at writing files of voters of which voter_file has none: what it left may be swept once a newer epoch counts.
CREATE TABLE attempt (
    election INTEGER NOT NULL,
    attempt  BLOB    NOT NULL CHECK (length(attempt) = 16),
    epoch    INTEGER NOT NULL CHECK (epoch >= 0),
    PRIMARY KEY (election, attempt)
) STRICT, WITHOUT ROWID;
