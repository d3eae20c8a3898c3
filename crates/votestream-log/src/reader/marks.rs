//! How far a reader may go: told by the writer in this process, or read from the `synced` sidecars that another one leaves.

use crate::batch::BatchDecoder;
use crate::error::LogError;
use crate::layout::{self, Identity};
use crate::mark::Mark;
use crate::segment::{Cursor, Expect, READ_BYTES};
use crate::watch::LogWatch;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use votestream_election::{Offset, PartitionId};

/// The shortest and the longest sleep between two looks at the sidecars; each look without news doubles it.
const POLL_MIN: Duration = Duration::from_millis(1);
const POLL_MAX: Duration = Duration::from_millis(10);
/// How often a sidecar that cannot be read is tried before it is taken as torn: a writer may be in the middle of it.
const TORN_TRIES: u32 = 3;

#[derive(Debug)]
pub(super) enum Marks {
    Watch(LogWatch),
    Sidecars(Vec<Sidecar>),
}

#[derive(Debug)]
pub(super) struct Sidecar {
    partition: PartitionId,
    dir: PathBuf,
    path: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    file: Option<File>,
    end: Option<Offset>,
}

impl Marks {
    pub(super) fn of_sidecars(root: &Path, identity: &Identity) -> Self {
        let sidecar = |partition| {
            let dir = layout::partition_dir(root, partition);
            Sidecar { partition, path: layout::mark_path(&dir), dir, known: Mutex::default() }
        };
        Self::Sidecars(identity.partition_ids().map(sidecar).collect())
    }

    /// A partition's synced end.
    pub(super) fn end(&self, partition: PartitionId) -> Result<Offset, LogError> {
        match self {
            Self::Watch(watch) => Ok(watch.end(partition)),
            Self::Sidecars(sidecars) => sidecars[partition.0 as usize].end(),
        }
    }

    /// Waits until a partition is synced beyond its place in `past`.
    pub(super) fn wait_past(&self, past: &[Offset], timeout: Duration) -> Result<bool, LogError> {
        let sidecars = match self {
            Self::Watch(watch) => return Ok(watch.wait_past(past, timeout)),
            Self::Sidecars(sidecars) => sidecars,
        };
        let deadline = Instant::now() + timeout;
        let mut pause = POLL_MIN;
        loop {
            for (sidecar, past) in sidecars.iter().zip(past) {
                if sidecar.end()? > *past {
                    return Ok(true);
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            std::thread::sleep(pause.min(left));
            pause = (pause * 2).min(POLL_MAX);
        }
    }
}

impl Sidecar {
    fn end(&self) -> Result<Offset, LogError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..TORN_TRIES {
            if known.file.is_none() {
                known.file = match File::open(&self.path) {
                    Ok(file) => Some(file),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                    Err(error) => return Err(LogError::io("read", &self.path, error)),
                };
            }
            let file = known.file.as_ref().expect("opened above");
            if let Some(mark) = Mark::read(file, &self.path, self.partition)? {
                known.end = Some(mark.end);
                return Ok(mark.end);
            }
            known.file = None;
        }
        // Missing or torn, as only a power cut or a copy leaves it. What was known stays true.
        if let Some(end) = known.end {
            return Ok(end);
        }
        let end = self.proven_end()?;
        known.end = Some(end);
        Ok(end)
    }

    /// The synced end as far as the log itself proves it: a segment is made after all before it is durable, and each batch tells what
    /// was durable when it was written. The next writer makes the rest durable and writes the sidecar anew.
    fn proven_end(&self) -> Result<Offset, LogError> {
        let base = *layout::segments(&self.dir)?.last().expect("a partition has a segment");
        let mut cursor = Cursor::open(layout::segment_path(&self.dir, base), READ_BYTES)?;
        let (mut proven, mut expect, mut decoder) = (base, Expect::at(base), BatchDecoder::new());
        // Where it stops being whole, what follows proves nothing that matters here.
        while let Ok(Some(header)) = cursor.header(&expect) {
            let bytes = cursor.fill(header.bytes)?;
            let Ok(first) = header.check_crc(bytes).and_then(|()| decoder.first_record(bytes)) else { break };
            proven = proven.max(first.synced.unwrap_or_default());
            expect = expect.after(&header);
            cursor.skip(header.bytes);
        }
        Ok(proven)
    }
}
