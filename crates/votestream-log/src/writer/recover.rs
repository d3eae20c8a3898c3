//! Finds a partition's end when a writer starts: reads the last segment, cuts a torn tail, refuses damage among what was durable.
//!
//! Earlier segments were synced before their successor was made, so whatever is wrong in them is damage, and their readers meet it.
//! Bound: one segment a partition is read and its CRCs checked, partitions side by side.

use super::sources::Sources;
use super::{RecoveryReport, TornTail};
use crate::batch::{BatchDecoder, BatchHeader, FirstRecord, HEADER_BYTES};
use crate::crash::point;
use crate::disk::{Disk, DiskFile};
use crate::error::LogError;
use crate::layout;
use crate::mark::{Mark, MarkFile};
use crate::segment::{Cursor, Expect, READ_BYTES};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use votestream_election::{Offset, PartitionId};

/// Bytes whose CRC is tried while looking for batches beyond damage, as a multiple of the tail's size: hostile bytes could
/// otherwise make every position look like a batch.
const TRIED_MULTIPLE: u64 = 16;

/// A partition, ready to be appended to.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) partition: PartitionId,
    pub(super) dir: PathBuf,
    /// The last segment.
    pub(super) file: DiskFile,
    /// The last segment's first offset.
    pub(super) base: Offset,
    /// Where the next batch is written.
    pub(super) position: u64,
    pub(super) end: Offset,
    pub(super) sources: Sources,
    pub(super) mark: MarkFile,
    torn: Option<TornTail>,
}

/// What all partitions' recoveries share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start<'a> {
    pub(super) root: &'a Path,
    /// The greatest incarnation that may have written.
    pub(super) epoch_max: i32,
    pub(super) incarnation: i32,
    pub(super) disk: &'a Disk,
}

/// Recovers every partition, as many side by side as the machine has processors.
pub(super) fn recover_all(
    start: Start<'_>,
    partitions: impl Iterator<Item = PartitionId>,
) -> Result<(Vec<Recovered>, RecoveryReport), LogError> {
    let partitions: Vec<PartitionId> = partitions.collect();
    let at_once = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut recovered = Vec::with_capacity(partitions.len());
    let mut report = RecoveryReport::default();
    for group in partitions.chunks(at_once) {
        let done: Vec<Result<Recovered, LogError>> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                group.iter().map(|partition| scope.spawn(|| recover(start, *partition))).collect();
            threads.into_iter().map(|thread| thread.join().expect("recovery does not panic")).collect()
        });
        for partition in done {
            let mut partition = partition?;
            report.torn.extend(partition.torn.take());
            recovered.push(partition);
        }
    }
    Ok((recovered, report))
}

fn recover(start: Start<'_>, partition: PartitionId) -> Result<Recovered, LogError> {
    let dir = layout::partition_dir(start.root, partition);
    let base = *layout::segments(&dir)?.last().expect("a partition has a segment");
    let path = layout::segment_path(&dir, base);
    let mark_path = layout::mark_path(&dir);
    let synced = Mark::load(&mark_path, partition)?.map_or(Offset(0), |mark| mark.end);

    let mut scan = Scan::open(path.clone(), base, start.epoch_max)?;
    let flaw = scan.run()?;
    let (position, end) = (scan.cursor.position(), scan.expect.base);
    let file = start.disk.open(&path, false).map_err(|error| LogError::io("open", &path, error))?;
    let mut torn = None;
    if let Some(what) = flaw {
        let mark = scan.greatest_mark_beyond()?.max(synced);
        if mark > end {
            return Err(LogError::corrupt(
                &path,
                position,
                format!("{what}, and records up to offset {mark} were durable"),
            ));
        }
        torn = Some(cut(&file, partition, position, end)?);
    } else if synced > end {
        let what = format!("the segment ends at offset {end}, and records up to {synced} were durable");
        return Err(LogError::corrupt(&path, position, what));
    }
    // What a killed writer left unsynced becomes durable before anyone is shown it.
    file.sync().map_err(|error| LogError::io("sync", &path, error))?;
    let mark = MarkFile::open(&mark_path, partition, start.incarnation, start.disk)?;
    mark.write(end)?;
    let known = Sources::load(&layout::sources_path(&dir), base, end);
    let mut sources =
        known.unwrap_or_else(|| if base == Offset(0) { Sources::complete() } else { Sources::unknown() });
    for (source, index) in scan.sources {
        sources.note(source, index);
    }
    Ok(Recovered { partition, dir, file, base, position, end, sources, mark, torn })
}

fn cut(file: &DiskFile, partition: PartitionId, position: u64, end: Offset) -> Result<TornTail, LogError> {
    let failed = |error| LogError::io("cut", file.path(), error);
    let bytes = file.bytes().map_err(failed)? - position;
    let name = file.path().display();
    tracing::warn!(%partition, file = %name, position, bytes, next_offset = %end, "torn tail cut; nothing in it was acknowledged");
    point("log-recover-before-cut");
    file.set_len(position).map_err(failed)?;
    point("log-recover-cut");
    Ok(TornTail { partition, file: file.path().to_owned(), position, bytes, next_offset: end })
}

/// A reading of one segment, batch by batch.
struct Scan {
    cursor: Cursor,
    expect: Expect,
    decoder: BatchDecoder,
    sources: Vec<(votestream_election::SourceId, u64)>,
}

impl Scan {
    fn open(path: PathBuf, base: Offset, epoch_max: i32) -> Result<Self, LogError> {
        let cursor = Cursor::open(path, READ_BYTES)?;
        let expect = Expect { epoch_max, ..Expect::at(base) };
        Ok(Self { cursor, expect, decoder: BatchDecoder::new(), sources: Vec::new() })
    }

    /// Reads whole batches up to the end (`None`) or to the first that is not whole (what is wrong with it).
    fn run(&mut self) -> Result<Option<String>, LogError> {
        loop {
            let header = match self.cursor.header(&self.expect) {
                Ok(Some(header)) => header,
                Ok(None) => return Ok(None),
                Err(LogError::Corrupt { what, .. }) => return Ok(Some(what)),
                Err(error) => return Err(error),
            };
            let bytes = self.cursor.fill(header.bytes)?;
            let checked = header.check_crc(bytes).and_then(|()| self.decoder.first_record(bytes));
            match checked.and_then(|first| first.check_epoch(&header).map(|()| first)) {
                Ok(first) => self.sources.extend(first.source),
                Err(error) => return Ok(Some(error.to_string())),
            }
            self.expect = self.expect.after(&header);
            self.cursor.skip(header.bytes);
        }
    }

    /// The greatest synced mark that any whole batch after the damage carries.
    fn greatest_mark_beyond(&mut self) -> Result<Offset, LogError> {
        let mut greatest = Offset(0);
        let mut cursor = Cursor::open(self.cursor.path().to_owned(), READ_BYTES)?;
        cursor.skip(self.cursor.position() as usize);
        let mut budget = TRIED_MULTIPLE.saturating_mul(cursor.file_bytes()? - cursor.position());
        while cursor.fill(HEADER_BYTES)?.len() >= HEADER_BYTES {
            // Within what is read ahead, look for the magic byte first: it is the cheapest thing to be wrong.
            let ahead = cursor.fill(HEADER_BYTES)?;
            let last = ahead.len() - HEADER_BYTES;
            let Some(at) = (0..=last).find(|&at| ahead[at + 16] == 2) else {
                cursor.skip(last + 1);
                continue;
            };
            cursor.skip(at);
            let step = self.try_here(&mut cursor, &mut budget)?;
            greatest = greatest.max(step.mark);
            cursor.skip(step.bytes);
        }
        Ok(greatest)
    }

    fn try_here(&mut self, cursor: &mut Cursor, budget: &mut u64) -> Result<Step, LogError> {
        let on = Step { bytes: 1, mark: Offset(0) };
        let header = match BatchHeader::read(cursor.fill(HEADER_BYTES)?) {
            Ok(header) if self.may_follow(&header) && header.bytes as u64 <= *budget => header,
            _ => return Ok(on),
        };
        *budget -= header.bytes as u64;
        let bytes = cursor.fill(header.bytes)?;
        if header.check_crc(bytes).is_err() {
            return Ok(on);
        }
        let FirstRecord { synced, .. } = self.decoder.first_record(bytes).unwrap_or_default();
        Ok(Step { bytes: header.bytes, mark: synced.unwrap_or_default() })
    }

    fn may_follow(&self, header: &BatchHeader) -> bool {
        header.base_offset >= self.expect.base
            // Not below the damaged batch's epoch would be wrong: that epoch may be the damage.
            && (0..=self.expect.epoch_max).contains(&header.leader_epoch)
            && header.producer_id == -1
            && i64::from(header.records) == i64::from(header.last_offset_delta) + 1
    }
}

struct Step {
    bytes: usize,
    mark: Offset,
}
