-- Results store in PostgreSQL, schema 3: an engine that keeps seen voters in files outside the store and cannot hash leaves of the ledger.
-- Every column is explained in docs/formats.md.

-- sealed_offset: how far the ledger is hashed; NULL: as far as is counted. outside: voters who lie in files of voter_file.
ALTER TABLE votestream.progress
    ADD COLUMN sealed_offset bigint,
    ADD COLUMN outside bigint NOT NULL DEFAULT 0 CHECK (outside >= 0),
    ADD CONSTRAINT hashed_within_counted CHECK (sealed_offset >= start_offset AND sealed_offset < next_offset);

-- A file of voters: one that has no row here does not exist, whatever lies there.
CREATE TABLE votestream.voter_file (
    election integer NOT NULL,
    attempt  bytea   NOT NULL CHECK (length(attempt) = 16),
    path     text    NOT NULL,
    rows     bigint  NOT NULL CHECK (rows >= voters),
    voters   bigint  NOT NULL CHECK (voters >= 0),
    PRIMARY KEY (election, path)
);

-- An attempt at writing files of voters of which voter_file has none: what it left may be swept once a newer epoch counts.
CREATE TABLE votestream.attempt (
    election integer NOT NULL,
    attempt  bytea   NOT NULL CHECK (length(attempt) = 16),
    epoch    bigint  NOT NULL CHECK (epoch >= 0),
    PRIMARY KEY (election, attempt)
);
