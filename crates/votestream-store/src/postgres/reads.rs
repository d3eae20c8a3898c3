//! What the connections answer: each question handed to the module that knows its tables.

use super::fault::Done;
use super::link::Session;
use super::{
    Reader, Writer, audit, check, desk, elections, flush, history, outside, releases, rows, snapshot,
};
use crate::error::StoreError;
use crate::types::{ElectionHead, StoreFacts, TimelinePoint};
use std::time::Duration;
use votestream_election::delta::{DeskAct, Pin, Snapshot};
use votestream_election::ledger::LeafSeal;
use votestream_election::releases::ReleaseBlock;
use votestream_election::{Election, Millis, Minute, Offset, PartitionId, RejectReason};

/// How long looking through all rows of a partition may take.
const VERIFY_DEADLINE: Duration = Duration::from_mins(2);

impl Writer {
    pub(crate) fn pin(&self, id: &str) -> Result<Pin, StoreError> {
        self.read(&async |session: &Session, label: &str| elections::pin(session, label, id).await)
    }

    pub(crate) fn full_cells(&mut self, id: &str) -> Result<Vec<i64>, StoreError> {
        let known = self.known(id)?;
        self.read(&async |session: &Session, _: &str| check::full_cells(session, &known).await)
    }

    pub(crate) fn snapshot(&self, id: &str) -> Result<Snapshot, StoreError> {
        self.read(&async |session: &Session, label: &str| snapshot::snapshot(session, label, id, None).await)
    }

    pub(crate) fn demographics(&self, id: &str) -> Result<Vec<ReleaseBlock>, StoreError> {
        self.read(&async |session: &Session, label: &str| releases::blocks(session, label, id, None).await)
    }

    /// PostgreSQL writes its log back by itself.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "every backend has it")]
    pub(crate) fn checkpoint(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Reader {
    pub(crate) fn facts(&self) -> Result<StoreFacts, StoreError> {
        self.read(&async |session: &Session, _: &str| facts(session).await)
    }

    pub(super) fn label(&self) -> String {
        self.link.borrow().place().label.clone()
    }

    /// One call that only reads; made once more where the connection was lost.
    fn read<T>(&self, call: &impl AsyncFn(&Session, &str) -> Done<T>) -> Result<T, StoreError> {
        let label = self.label();
        let mut link = self.link.borrow_mut();
        let done = link.read(&async |session: &Session| call(session, &label).await);
        link.name(done)
    }

    /// The same, made once only.
    pub(super) fn call<T>(&self, call: impl AsyncFnOnce(&Session, &str) -> Done<T>) -> Result<T, StoreError> {
        let label = self.label();
        let mut link = self.link.borrow_mut();
        let done = link.once(async |session| call(session, &label).await);
        link.name(done)
    }

    /// Whether anybody has committed since the last call; the first call says yes.
    pub(crate) fn changed(&self) -> Result<bool, StoreError> {
        let now: String = self.read(&async |session: &Session, _: &str| {
            rows::get(&session.row(include_str!("sql/changed.sql"), &[]).await?, 0)
        })?;
        let before = self.state.replace(Some(now.clone()));
        Ok(before != Some(now))
    }

    pub(crate) fn full_cells(&self, id: &str) -> Result<Vec<i64>, StoreError> {
        self.read(&async |session: &Session, label: &str| {
            session.begin_snapshot().await?;
            let known = elections::known(&elections::row(session, label, id).await?)?;
            let cells = check::full_cells(session, &known).await?;
            session.commit().await?;
            Ok(cells)
        })
    }

    pub(crate) fn elections(&self) -> Result<Vec<ElectionHead>, StoreError> {
        self.read(&async |session: &Session, _: &str| elections::heads(session).await)
    }

    pub(crate) fn election(&self, id: Option<&str>) -> Result<Election, StoreError> {
        self.read(&async |session: &Session, label: &str| elections::choose(session, label, id).await)
    }

    pub(crate) fn pin(&self, id: &str) -> Result<Pin, StoreError> {
        self.read(&async |session: &Session, label: &str| elections::pin(session, label, id).await)
    }

    pub(crate) fn snapshot(&self, id: &str, at: Option<Minute>) -> Result<Snapshot, StoreError> {
        self.read(&async |session: &Session, label: &str| snapshot::snapshot(session, label, id, at).await)
    }

    pub(crate) fn sequence(&self, id: &str) -> Result<u64, StoreError> {
        self.read(&async |session: &Session, label: &str| {
            let number = elections::row(session, label, id).await?.number;
            flush::sequence(session, number).await
        })
    }

    pub(crate) fn timeline(
        &self,
        id: &str,
        from: Option<Minute>,
        to: Option<Minute>,
    ) -> Result<Vec<TimelinePoint>, StoreError> {
        self.read(&async |session: &Session, label: &str| {
            history::timeline(session, label, id, from, to).await
        })
    }

    pub(crate) fn demographics(&self, id: &str, at: Option<Minute>) -> Result<Vec<ReleaseBlock>, StoreError> {
        self.read(&async |session: &Session, label: &str| releases::blocks(session, label, id, at).await)
    }

    pub(crate) fn rejects(
        &self,
        id: &str,
        limit: usize,
        after: Option<(PartitionId, Offset)>,
    ) -> Result<Vec<(PartitionId, Offset, RejectReason)>, StoreError> {
        self.read(&async |session: &Session, label: &str| {
            audit::rejects(session, label, id, limit, after).await
        })
    }

    pub(crate) fn leaves(&self, id: &str, partition: PartitionId) -> Result<Vec<LeafSeal>, StoreError> {
        self.read(&async |session: &Session, label: &str| audit::leaves(session, label, id, partition).await)
    }

    pub(crate) fn desk_acts(&self, id: &str) -> Result<Vec<DeskAct>, StoreError> {
        self.read(&async |session: &Session, label: &str| {
            let number = elections::row(session, label, id).await?.number;
            desk::acts(session, number).await
        })
    }

    /// Whether the rows of every partition agree. Pages are the server's business (`pg_amcheck`, data checksums).
    pub(crate) fn verify(&self, id: &str) -> Result<(), StoreError> {
        let label = self.label();
        let mut link = self.link.borrow_mut();
        let done = link.within(VERIFY_DEADLINE, async |session| {
            session.begin_snapshot().await?;
            session.batch("SET LOCAL statement_timeout = '100s'").await?;
            let known = elections::known(&elections::row(session, &label, id).await?)?;
            for partition in 0..known.shape.partitions {
                check::load(session, &known, PartitionId(partition)).await?;
            }
            outside::check_files(session, &known).await?;
            session.commit().await
        });
        link.name(done)
    }
}

/// The server, this login and its rights.
async fn facts(session: &Session) -> Done<StoreFacts> {
    let row = session.row(include_str!("sql/facts.sql"), &[]).await?;
    let (version, login): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    let (encrypted, now): (bool, i64) = (row.try_get(2)?, row.try_get(3)?);
    let (standby, read_only): (bool, bool) = (row.try_get(4)?, row.try_get(5)?);
    Ok(StoreFacts {
        server: format!("PostgreSQL {version}"),
        login: Some(login),
        encrypted: Some(encrypted),
        now: Some(Millis(now)),
        read_only: match (standby, read_only) {
            (true, _) => Some("the server is a standby in recovery"),
            (false, true) => Some("default_transaction_read_only is on"),
            (false, false) => None,
        },
        may_count: row.try_get(6)?,
        may_see_voters: row.try_get(7)?,
    })
}
