CREATE TABLE votestream.schema_version (
    version    integer     PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE votestream.schema_version IS 'schema of the results store of votestream';
