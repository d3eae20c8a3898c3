//! The log of a server that takes votes only now and then: opened by a POST, closed when none has come for a while, so that `ingest`
//! and other writers get their turn. While somebody else writes, a POST is told to come back.

use super::{open_to_read, partition_of};
use anyhow::Result;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use votestream_election::Election;
use votestream_engine::Shutdown;
use votestream_log::{LogError, LogUrl, LogWriter, WriterOptions};
use votestream_server::{Ingest, LogLease};

/// How long the log stays open after the last POST.
const IDLE_MAX: Duration = Duration::from_secs(2);

/// A log that is opened when it is needed.
pub struct Door {
    url: LogUrl,
    inside: Mutex<Inside>,
    closing: Shutdown,
}

struct Inside {
    writer: Option<Arc<LogWriter>>,
    used: Instant,
}

impl Door {
    /// Closed for now. A thread of its own closes it again when it is idle.
    pub fn new(url: LogUrl) -> Arc<Self> {
        let inside = Mutex::new(Inside { writer: None, used: Instant::now() });
        let door = Arc::new(Self { url, inside, closing: Shutdown::new() });
        let watched = Arc::downgrade(&door);
        let closing = door.closing.clone();
        std::thread::spawn(move || {
            while !closing.wait(IDLE_MAX / 4) {
                let Some(door) = watched.upgrade() else { return };
                if let Err(error) = door.close_when_idle() {
                    tracing::error!("the vote log was not closed well: {error}");
                }
            }
        });
        door
    }

    /// The way in for the server.
    pub fn intake(self: &Arc<Self>, election: &Election) -> Result<Ingest> {
        let partitions = open_to_read(&self.url)?.partitions();
        let door = Arc::clone(self);
        Ok(Ingest { log: Arc::new(move || door.open()), partition_of: partition_of(election, partitions) })
    }

    fn open(&self) -> Result<LogLease, LogError> {
        let mut inside = self.inside();
        let writer = match &inside.writer {
            Some(writer) => Arc::clone(writer),
            None => Arc::new(LogWriter::open_url(&self.url, WriterOptions::default())?),
        };
        inside.writer = Some(Arc::clone(&writer));
        inside.used = Instant::now();
        Ok(LogLease { log: writer.handle(), open: Some(writer) })
    }

    fn close_when_idle(&self) -> Result<(), LogError> {
        let mut inside = self.inside();
        if inside.used.elapsed() < IDLE_MAX {
            return Ok(());
        }
        Self::close_unused(&mut inside)
    }

    /// Closes the log unless a request still holds it.
    fn close_unused(inside: &mut Inside) -> Result<(), LogError> {
        match inside.writer.take().map(Arc::try_unwrap) {
            None => Ok(()),
            Some(Ok(writer)) => writer.close(),
            Some(Err(held)) => {
                inside.writer = Some(held);
                Ok(())
            }
        }
    }

    /// Closes the log for good; requests have ended.
    pub fn close(&self) -> Result<(), LogError> {
        self.closing.raise();
        Self::close_unused(&mut self.inside())
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
