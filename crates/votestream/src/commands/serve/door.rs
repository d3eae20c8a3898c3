//! The log of a server that takes votes only now and then: opened by a POST, closed when none has come for a while, so that `ingest`
//! and other writers get their turn. While somebody else writes, a POST is told to come back.

use super::{open_to_read, partition_of};
use anyhow::Result;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use votestream_election::Election;
use votestream_engine::Shutdown;
use votestream_log::{LogError, LogUrl, LogWriter, WriterOptions};
use votestream_server::{Ingest, LogLease};

/// How long the log stays open after the last POST.
const IDLE_MAX: Duration = Duration::from_secs(2);
/// How long a POST waits while another has the log opened, or it is being closed: with its brokers away either takes long.
const BUSY_MAX: Duration = Duration::from_secs(5);

/// A log that is opened when it is needed.
pub struct Door {
    url: LogUrl,
    inside: Mutex<Inside>,
    /// The log is not being opened or closed any more.
    free: Condvar,
    closing: Shutdown,
}

struct Inside {
    /// Somebody opens or closes the log.
    busy: bool,
    writer: Option<Arc<LogWriter>>,
    used: Instant,
}

impl Door {
    /// Closed for now. A thread of its own closes it again when it is idle.
    pub fn new(url: LogUrl) -> Arc<Self> {
        let inside = Mutex::new(Inside { busy: false, writer: None, used: Instant::now() });
        let door = Arc::new(Self { url, inside, free: Condvar::new(), closing: Shutdown::new() });
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
        let mut inside = self.free()?;
        if inside.writer.is_none() {
            inside.busy = true;
            drop(inside);
            let opened = LogWriter::open_url(&self.url, WriterOptions::default());
            inside = self.inside();
            inside.busy = false;
            self.free.notify_all();
            inside.writer = Some(Arc::new(opened?));
        }
        inside.used = Instant::now();
        let open = inside.writer.clone();
        let Some(writer) = &open else { return Err(LogError::Closed) };
        Ok(LogLease { log: writer.handle(), open: open.clone().map(|writer| writer as _) })
    }

    fn close_when_idle(&self) -> Result<(), LogError> {
        let inside = self.inside();
        if inside.busy || inside.used.elapsed() < IDLE_MAX {
            return Ok(());
        }
        self.close_unused(inside)
    }

    /// Closes the log unless a request still holds it.
    fn close_unused(&self, mut inside: MutexGuard<'_, Inside>) -> Result<(), LogError> {
        let writer = match inside.writer.take().map(Arc::try_unwrap) {
            None => return Ok(()),
            Some(Ok(writer)) => writer,
            Some(Err(held)) => {
                // It is idle from the end of the last request on, not from its beginning.
                inside.writer = Some(held);
                inside.used = Instant::now();
                return Ok(());
            }
        };
        inside.busy = true;
        drop(inside);
        let closed = writer.close();
        self.inside().busy = false;
        self.free.notify_all();
        closed
    }

    /// Closes the log for good; requests have ended.
    pub fn close(&self) -> Result<(), LogError> {
        self.closing.raise();
        self.close_unused(self.inside())
    }

    /// Waits until nobody opens or closes the log.
    fn free(&self) -> Result<MutexGuard<'_, Inside>, LogError> {
        let waited = self.free.wait_timeout_while(self.inside(), BUSY_MAX, |inside| inside.busy);
        let (inside, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return Err(LogError::Unreachable {
                place: self.url.to_string(),
                what: "opening it takes long".to_owned(),
                next: "are its brokers up?",
            });
        }
        Ok(inside)
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
