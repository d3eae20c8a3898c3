-- Results store in PostgreSQL, schema 2: heads of manifests of archives whose storage cannot keep them. Every column is explained in
-- docs/formats.md.

CREATE TABLE votestream.archive_head (
    archive text   PRIMARY KEY,
    number  bigint NOT NULL CHECK (number >= 0),
    digest  bytea  NOT NULL CHECK (length(digest) = 32),
    entry   bytea  NOT NULL
);
