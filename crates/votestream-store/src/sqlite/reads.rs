//! What the connections answer: each question handed to the module that knows its tables.

use super::fault::Done;
use super::takeover::{check, check_files, full_cells};
use super::{Reader, Writer, audit, corrupt, desk, elections, flush, history, open, releases, snapshot};
use crate::types::{ElectionHead, StoreFacts, TimelinePoint};
use std::path::Path;
use votestream_election::delta::{DeskAct, Pin, Snapshot};
use votestream_election::ledger::LeafSeal;
use votestream_election::releases::ReleaseBlock;
use votestream_election::{Election, Minute, Offset, PartitionId, RejectReason};

impl Writer {
    pub(crate) fn pin(&self, id: &str) -> Done<Pin> {
        elections::pin(&self.conn, &self.label, id)
    }

    pub(crate) fn full_cells(&mut self, id: &str) -> Done<Vec<i64>> {
        let known = self.known(id)?;
        full_cells(&self.conn, &known)
    }

    pub(crate) fn snapshot(&self, id: &str) -> Done<Snapshot> {
        snapshot::snapshot(&self.conn, &self.label, id, None)
    }

    pub(crate) fn demographics(&self, id: &str) -> Done<Vec<ReleaseBlock>> {
        releases::blocks(&self.conn, &self.label, id, None)
    }
}

impl Reader {
    #[expect(clippy::unnecessary_wraps, reason = "every backend has it, and others must ask for it")]
    pub(crate) fn facts(&self) -> Done<StoreFacts> {
        let read_only = self.conn.path().and_then(|path| open::not_writable(Path::new(path)));
        Ok(StoreFacts {
            server: format!("SQLite {}", rusqlite::version()),
            login: None,
            encrypted: None,
            now: None,
            read_only,
            may_count: read_only.is_none(),
            may_see_voters: true,
        })
    }

    pub(crate) fn full_cells(&self, id: &str) -> Done<Vec<i64>> {
        let row = elections::row(&self.conn, &self.label, id)?;
        full_cells(&self.conn, &elections::known(&row)?)
    }

    pub(crate) fn elections(&self) -> Done<Vec<ElectionHead>> {
        elections::heads(&self.conn)
    }

    pub(crate) fn election(&self, id: Option<&str>) -> Done<Election> {
        elections::choose(&self.conn, &self.label, id)
    }

    pub(crate) fn pin(&self, id: &str) -> Done<Pin> {
        elections::pin(&self.conn, &self.label, id)
    }

    pub(crate) fn snapshot(&self, id: &str, at: Option<Minute>) -> Done<Snapshot> {
        snapshot::snapshot(&self.conn, &self.label, id, at)
    }

    pub(crate) fn sequence(&self, id: &str) -> Done<u64> {
        let tx = self.conn.unchecked_transaction()?;
        let number = elections::row(&tx, &self.label, id)?.number;
        flush::sequence(&tx, number)
    }

    pub(crate) fn timeline(
        &self,
        id: &str,
        from: Option<Minute>,
        to: Option<Minute>,
    ) -> Done<Vec<TimelinePoint>> {
        history::timeline(&self.conn, &self.label, id, from, to)
    }

    pub(crate) fn demographics(&self, id: &str, at: Option<Minute>) -> Done<Vec<ReleaseBlock>> {
        releases::blocks(&self.conn, &self.label, id, at)
    }

    pub(crate) fn rejects(
        &self,
        id: &str,
        limit: usize,
        after: Option<(PartitionId, Offset)>,
    ) -> Done<Vec<(PartitionId, Offset, RejectReason)>> {
        audit::rejects(&self.conn, &self.label, id, limit, after)
    }

    pub(crate) fn leaves(&self, id: &str, partition: PartitionId) -> Done<Vec<LeafSeal>> {
        audit::leaves(&self.conn, &self.label, id, partition)
    }

    pub(crate) fn desk_acts(&self, id: &str) -> Done<Vec<DeskAct>> {
        let tx = self.conn.unchecked_transaction()?;
        let number = elections::row(&tx, &self.label, id)?.number;
        desk::acts(&tx, number)
    }

    pub(crate) fn verify(&self, id: &str) -> Done<()> {
        let said: String = self.conn.query_row("PRAGMA integrity_check(1)", [], |r| r.get(0))?;
        if said != "ok" {
            return Err(corrupt("a page of the file"));
        }
        let tx = self.conn.unchecked_transaction()?;
        let known = elections::known(&elections::row(&tx, &self.label, id)?)?;
        check_files(&tx, &known)?;
        (0..known.shape.partitions).try_for_each(|partition| check(&tx, &known, PartitionId(partition)))
    }
}
