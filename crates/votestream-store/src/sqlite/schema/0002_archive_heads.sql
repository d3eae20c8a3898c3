-- Results store, schema 2: heads of manifests of archives whose storage cannot keep them. Every column is explained in docs/formats.md.

CREATE TABLE archive_head (
    archive TEXT    NOT NULL PRIMARY KEY,
    number  INTEGER NOT NULL CHECK (number >= 0),
    digest  BLOB    NOT NULL CHECK (length(digest) = 32),
    entry   BLOB    NOT NULL
) STRICT;
