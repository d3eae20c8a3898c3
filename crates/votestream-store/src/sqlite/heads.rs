//! Heads of archives' manifests: read, and moved where they are as expected.

use super::fault::Done;
use super::{Desk, corrupt, rows};
use crate::heads::ArchiveHead;
use rusqlite::OptionalExtension;
use votestream_election::ledger::Digest;

impl Desk {
    pub(crate) fn archive_head(&mut self, archive: &str) -> Done<Option<ArchiveHead>> {
        let mut statement = self.conn.prepare_cached(include_str!("sql/archive_head_get.sql"))?;
        let found = statement
            .query_row([archive], |row| Ok((rows::unsigned(row, 0)?, row.get::<_, Vec<u8>>(1)?, row.get(2)?)))
            .optional()?;
        let Some((number, digest, entry)) = found else { return Ok(None) };
        let digest = digest.try_into().map_err(|_| corrupt("the head of an archive"))?;
        Ok(Some(ArchiveHead { number, digest: Digest(digest), entry }))
    }

    pub(crate) fn advance_archive_head(
        &mut self,
        archive: &str,
        from: Option<(u64, Digest)>,
        ArchiveHead { number, digest, entry }: &ArchiveHead,
    ) -> Done<bool> {
        let number = *number as i64;
        let moved = match from {
            None => {
                let mut statement = self.conn.prepare_cached(include_str!("sql/archive_head_insert.sql"))?;
                statement.execute((archive, number, digest.0, entry))?
            }
            Some((old, old_digest)) => {
                let mut statement = self.conn.prepare_cached(include_str!("sql/archive_head_move.sql"))?;
                statement.execute((archive, number, digest.0, entry, old as i64, old_digest.0))?
            }
        };
        Ok(moved == 1)
    }
}
