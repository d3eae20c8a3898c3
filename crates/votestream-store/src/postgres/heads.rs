//! Heads of archives' manifests: read, and moved where they are as expected.

use super::link::{Param, Session};
use super::{Desk, corrupt, raise, rows};
use crate::error::StoreError;
use crate::heads::ArchiveHead;
use votestream_election::ledger::Digest;

impl Desk {
    pub(crate) fn archive_head(&mut self, archive: &str) -> Result<Option<ArchiveHead>, StoreError> {
        raise::patiently(self.link.get_mut(), &async |session: &Session| {
            let Some(row) = session.maybe(include_str!("sql/archive_head_get.sql"), &[&archive]).await?
            else {
                return Ok(None);
            };
            let digest: Vec<u8> = rows::get(&row, 1)?;
            let digest = digest.try_into().map_err(|_| corrupt("the head of an archive"))?;
            let (number, entry) = (rows::unsigned(&row, 0)?, rows::get(&row, 2)?);
            Ok(Some(ArchiveHead { number, digest: Digest(digest), entry }))
        })
    }

    /// Where an answer is lost it is tried again, and then says that the head is not as expected: whoever moved it finds its own there.
    pub(crate) fn advance_archive_head(
        &mut self,
        archive: &str,
        from: Option<(u64, Digest)>,
        ArchiveHead { number, digest, entry }: &ArchiveHead,
    ) -> Result<bool, StoreError> {
        let (number, digest) = (*number as i64, digest.0.as_slice());
        raise::patiently(self.link.get_mut(), &async |session: &Session| {
            let moved = match from {
                None => {
                    let values: [Param<'_>; 4] = [&archive, &number, &digest, entry];
                    session.execute(include_str!("sql/archive_head_insert.sql"), &values).await?
                }
                Some((old, old_digest)) => {
                    let (old, old_digest) = (old as i64, old_digest.0.as_slice());
                    let values: [Param<'_>; 6] = [&archive, &number, &digest, entry, &old, &old_digest];
                    session.execute(include_str!("sql/archive_head_move.sql"), &values).await?
                }
            };
            Ok(moved == 1)
        })
    }
}
