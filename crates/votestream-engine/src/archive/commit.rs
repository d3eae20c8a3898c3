//! The committing side: files are put, several at once, then one entry of the manifest names them. What the storage does not take is
//! tried again for as long as it takes; the log keeps the votes meanwhile, and the reading threads wait.

use super::read::Reading;
use super::{ArchiveOptions, ArchiveSummary, End, OnArchived, may_pass, overtaken};
use crate::count::patiently;
use crate::{EngineError, Shutdown};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;
use votestream_archive::manifest::Act;
use votestream_archive::manifest::chain::ManifestWriter;
use votestream_archive::place::{Place, Put};
use votestream_archive::{Archive, ArchiveError, Sealed, compact};
use votestream_election::{Offset, PartitionId};
use votestream_log::LogReader;

/// Files that are committed with one entry.
const FILES_MAX: usize = 64;
/// How long the committing side waits for files before it looks whether to put some together.
const IDLE: Duration = Duration::from_millis(500);

pub(super) struct Committer<'a> {
    writer: ManifestWriter,
    options: &'a ArchiveOptions,
    shutdown: &'a Shutdown,
    summary: &'a mut ArchiveSummary,
    on_archived: &'a OnArchived,
    log: &'a LogReader,
    /// Files that are named no longer since before then have been deleted.
    swept_ms: i64,
}

impl<'a> Committer<'a> {
    pub(super) fn new(
        writer: ManifestWriter,
        options: &'a ArchiveOptions,
        shutdown: &'a Shutdown,
        (summary, on_archived): (&'a mut ArchiveSummary, &'a OnArchived),
        log: &'a LogReader,
    ) -> Self {
        Self { writer, options, shutdown, summary, on_archived, log, swept_ms: i64::MIN }
    }

    /// Archives until the end, until told to stop, or until another archiver has taken over.
    pub(super) fn stretch(&mut self, until: Option<&[Offset]>) -> Result<End, EngineError> {
        self.tidy()?;
        self.sweep()?;
        self.tell()?;
        let archive = Archive::of(Arc::clone(self.writer.place()), self.writer.manifest().clone())?;
        let (interrupt, deaf) = (Shutdown::new(), Shutdown::new());
        let (log, options, shutdown) = (self.log, self.options, self.shutdown);
        let (sender, sealed) = sync_channel(options.threads.max(1));
        let ended = std::thread::scope(|scope| {
            let readers: Vec<_> = share(log.partitions(), options.threads)
                .into_iter()
                .map(|share| {
                    let (sender, interrupt, deaf, archive) = (sender.clone(), &interrupt, &deaf, &archive);
                    scope.spawn(move || {
                        let stop = [shutdown, interrupt];
                        let done = Reading::open((log, archive), &share, options, until, stop)
                            .and_then(|reading| reading.run(&sender, deaf));
                        if done.is_err() {
                            // The others would go on without these partitions, and nobody would learn why.
                            interrupt.raise();
                        }
                        done
                    })
                })
                .collect();
            drop(sender);
            let committed = self.run(&sealed);
            interrupt.raise();
            deaf.raise();
            drop(sealed);
            let read: Vec<_> = readers
                .into_iter()
                .map(|one| one.join().unwrap_or(Err(EngineError::Thread("archiving"))))
                .collect();
            committed?;
            read.into_iter().collect::<Result<(), _>>()
        });
        match ended {
            Ok(()) => Ok(End::Done),
            Err(error) => overtaken(&error).map(End::Overtaken).ok_or(error),
        }
    }

    /// Commits what comes, until nobody sends any more.
    fn run(&mut self, sealed: &Receiver<Sealed>) -> Result<(), EngineError> {
        loop {
            match sealed.recv_timeout(IDLE) {
                Ok(first) => {
                    let mut files = vec![first];
                    files.extend(sealed.try_iter().take(FILES_MAX - 1));
                    if !self.commit(files)? {
                        return Ok(());
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            while self.compact()? {}
            self.sweep_due()?;
        }
    }

    /// Puts the files, then the entry that names them; false when told to stop while the storage would not take them.
    fn commit(&mut self, sealed: Vec<Sealed>) -> Result<bool, EngineError> {
        let Some(entries) = self.put(sealed)? else { return Ok(false) };
        let records: u64 = entries.iter().map(|file| file.rows).sum();
        let bytes: u64 = entries.iter().map(|file| file.bytes).sum();
        let files = entries.len() as u64;
        if !self.change(Act::Files { files: entries })? {
            return Ok(false);
        }
        fail::fail_point!("archive-committed", |_| std::process::abort());
        let archived = &mut self.summary.archived;
        archived.records += records;
        archived.bytes += bytes;
        archived.files += files;
        tracing::debug!(records, bytes, files, entry = self.writer.manifest().head.number, "archived");
        self.tell()?;
        Ok(true)
    }

    /// Puts files under names of their own, as many at once as the storage likes.
    fn put(
        &self,
        sealed: Vec<Sealed>,
    ) -> Result<Option<Vec<votestream_archive::manifest::FileEntry>>, EngineError> {
        let named: Vec<_> = sealed
            .into_iter()
            .map(|Sealed { mut entry, file }| {
                entry.name = self.writer.file_name(entry.partition, (entry.from, entry.to));
                (entry, file.bytes)
            })
            .collect();
        let place = self.writer.place();
        for several in named.chunks(place.width().max(1)) {
            let put = |(entry, bytes): &(votestream_archive::manifest::FileEntry, _)| {
                put_file(place, &entry.name, bytes)
            };
            let done = patiently(self.shutdown, Duration::MAX, may_pass, || {
                std::thread::scope(|scope| {
                    let puts: Vec<_> = several.iter().map(|one| scope.spawn(move || put(one))).collect();
                    puts.into_iter()
                        .try_for_each(|put| put.join().unwrap_or(Err(EngineError::Thread("writing"))))
                })
            })?;
            if done.is_none() {
                return Ok(None);
            }
        }
        fail::fail_point!("archive-files-put", |_| std::process::abort());
        Ok(Some(named.into_iter().map(|(entry, _)| entry).collect()))
    }

    /// Puts an entry, and the same one again until it is known to be there.
    fn change(&mut self, act: Act) -> Result<bool, EngineError> {
        let pending = self.writer.begin(act, (self.options.clock)().0)?;
        let writer = &mut self.writer;
        let done = patiently(self.shutdown, Duration::MAX, may_pass, || Ok(writer.settle(&pending)?))?;
        Ok(done.is_some())
    }

    /// Puts some small files together, where that is worth it.
    fn compact(&mut self) -> Result<bool, EngineError> {
        if self.shutdown.is_raised() {
            return Ok(false);
        }
        let manifest = self.writer.manifest();
        let found = manifest.partitions.iter().enumerate().find_map(|(p, partition)| {
            let range = compact::worth(&partition.files, self.options.roll_bytes)?;
            Some((PartitionId(p as u32), partition.files[range].to_vec()))
        });
        let Some((partition, files)) = found else { return Ok(false) };
        let archive = Archive::of(Arc::clone(self.writer.place()), manifest.clone())?;
        let together = patiently(self.shutdown, Duration::MAX, may_pass, || {
            Ok(compact::together(&archive, partition, &files)?)
        })?;
        let Some(sealed) = together else { return Ok(false) };
        let Some(mut put) = self.put(vec![sealed])? else { return Ok(false) };
        let replaced: Vec<String> = files.into_iter().map(|file| file.name).collect();
        let count = replaced.len() as u64;
        let Some(file) = put.pop() else { return Ok(false) };
        if !self.change(Act::Compact { file: Box::new(file), replaced })? {
            return Ok(false);
        }
        fail::fail_point!("archive-compacted", |_| std::process::abort());
        self.summary.archived.compacted += count;
        tracing::debug!(partition = partition.0, files = count, "small files put together");
        Ok(true)
    }

    /// Sweeps where the grace period of a file has ended since the last time.
    fn sweep_due(&mut self) -> Result<(), EngineError> {
        let ended = (self.options.clock)().0 - self.options.grace.as_millis() as i64;
        let due = |at_ms: i64| at_ms > self.swept_ms && at_ms <= ended;
        if self.writer.manifest().replaced.iter().rev().any(|replaced| due(replaced.at_ms)) {
            self.sweep()?;
        }
        Ok(())
    }

    /// Deletes what nobody names and what was replaced long ago.
    fn sweep(&mut self) -> Result<(), EngineError> {
        let (grace, now) = (self.options.grace.as_millis() as i64, (self.options.clock)().0);
        let swept =
            patiently(self.shutdown, Duration::MAX, may_pass, || Ok(self.writer.sweep(grace, now)?))?;
        if let Some(swept) = swept {
            self.summary.swept += swept;
            self.swept_ms = now - grace;
        }
        Ok(())
    }

    /// Deletes what puts of archivers that were killed left half-way.
    fn tidy(&self) -> Result<(), EngineError> {
        let place = self.writer.place();
        patiently(self.shutdown, Duration::MAX, may_pass, || {
            Ok(place.tidy().map_err(|source| ArchiveError::Place { url: place.url(), source })?)
        })
        .map(drop)
    }

    fn tell(&mut self) -> Result<(), EngineError> {
        let (next, ends) = (self.writer.manifest().next(), self.log.end_offsets()?);
        let archived = &mut self.summary.archived;
        archived.backlog = next.iter().zip(&ends).map(|(next, end)| end.0.saturating_sub(next.0)).sum();
        archived.next = next;
        (self.on_archived)(archived);
        Ok(())
    }
}

fn put_file(place: &Arc<dyn Place>, name: &str, bytes: &bytes::Bytes) -> Result<(), EngineError> {
    let put = place
        .put_new(name, bytes.clone())
        .map_err(|source| ArchiveError::Place { url: place.url(), source })?;
    fail::fail_point!("archive-file-put", |_| std::process::abort());
    match put {
        // The name is this attempt's own: it is there from a put whose answer was lost.
        Put::Created | Put::Exists => Ok(()),
    }
}

/// Deals partitions out to threads.
fn share(partitions: u32, threads: usize) -> Vec<Vec<PartitionId>> {
    let threads = threads.clamp(1, (partitions as usize).max(1));
    let mut shares: Vec<Vec<PartitionId>> = vec![Vec::new(); threads];
    for partition in 0..partitions {
        shares[partition as usize % threads].push(PartitionId(partition));
    }
    shares
}
