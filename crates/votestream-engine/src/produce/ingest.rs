//! One input into the log: bytes to records, records to partitions, batches to the log. Opening files and showing progress is the
//! caller's.

use super::batcher::{Batcher, Router};
use super::format::{Cutter, Format, ZstdReader, decompressed};
use crate::{EngineError, Shutdown};
use std::io::{BufRead, Read, Write};
use votestream_election::framing::{Piece, STUB_BYTES};
use votestream_election::{Election, Millis, RejectReason, SourceId};

/// How to read an input.
pub struct IngestOptions {
    /// Its form; `None`: tell it from the first bytes.
    pub format: Option<Format>,
    /// Decodes zstd, where the binary can.
    pub zstd: Option<ZstdReader>,
    /// The wall clock: the timestamp of records that bring none.
    pub clock: fn() -> Millis,
}

/// What became of an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IngestSummary {
    /// Records found in it.
    pub records: u64,
    /// Records appended by this run.
    pub appended: u64,
    /// Records that the log already had from an earlier run on the same input.
    pub passed: u64,
    /// Records appended that counting will reject.
    pub rejected: u64,
    /// Bytes of the input, decompressed.
    pub bytes: u64,
    /// The input ended by itself, rather than by a request to stop.
    pub finished: bool,
}

impl IngestSummary {
    /// Adds another input's numbers; `finished` stays.
    pub fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.appended += other.appended;
        self.passed += other.passed;
        self.rejected += other.rejected;
        self.bytes += other.bytes;
    }
}

/// Where rejects are listed: one NDJSON line each, with number, reason and the start of the record.
pub struct RejectList {
    out: Option<Box<dyn Write + Send>>,
    name: String,
}

impl RejectList {
    /// Lists to `out`, named `name` in messages; `None` lists nowhere.
    pub fn new(name: &str, out: Option<Box<dyn Write + Send>>) -> Self {
        Self { out, name: name.to_owned() }
    }

    fn add(
        &mut self,
        input: &str,
        number: u64,
        reason: RejectReason,
        bytes: &[u8],
    ) -> Result<(), EngineError> {
        let Some(out) = &mut self.out else { return Ok(()) };
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(STUB_BYTES)]);
        let line =
            serde_json::json!({"input": input, "record": number, "reason": reason.name(), "value": shown});
        writeln!(out, "{line}").map_err(|source| EngineError::Output { name: self.name.clone(), source })
    }

    /// Writes out what is buffered.
    pub fn finish(&mut self) -> Result<(), EngineError> {
        let Some(out) = &mut self.out else { return Ok(()) };
        out.flush().map_err(|source| EngineError::Output { name: self.name.clone(), source })
    }
}

/// The identity of a file's content as this election reads it, so that a second run on it goes on where the first was cut off. What
/// decides how it is cut and dealt out to partitions is part of it: read otherwise, it is another source.
pub fn source_of_file(
    mut file: impl Read,
    election: &Election,
    format: Option<Format>,
) -> std::io::Result<SourceId> {
    let mut hasher = votestream_election::ledger::ContentHasher::new();
    hasher.update(
        format!("{format:?} {:?} {:?}\n", election.mapping.voter, election.mapping.candidate).as_bytes(),
    );
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(SourceId(hasher.finish())),
            n => hasher.update(&buffer[..n]),
        }
    }
}

/// Reads `input` to its end, or until told to stop, and appends every record. An input that can wait for long should end by itself
/// where `shutdown` is raised. `progress` is told the input's bytes and records so far.
pub fn ingest_reader(
    (name, input): (&str, Box<dyn Read + Send + '_>),
    election: &Election,
    batcher: &mut Batcher,
    rejects: &mut RejectList,
    options: &IngestOptions,
    (shutdown, progress): (&Shutdown, &dyn Fn(u64, u64)),
) -> Result<IngestSummary, EngineError> {
    let failed = |source| EngineError::Input { name: name.to_owned(), source };
    let mut input = decompressed(input, options.zstd).map_err(failed)?;
    let format = match options.format {
        Some(format) => format,
        None => Format::sniff(input.fill_buf().map_err(failed)?, election),
    };
    let mut router = Router::new(election, batcher.partitions());
    router.learn(&first_records(format, input.fill_buf().map_err(failed)?));
    let mut cutter = Cutter::new(format);
    let mut sink = Sink {
        name,
        router,
        batcher,
        rejects,
        summary: IngestSummary::default(),
        now: (options.clock)(),
        error: None,
    };
    while !shutdown.is_raised() {
        let chunk = match input.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            // A compressed input that is cut short by the request to stop.
            Err(_) if shutdown.is_raised() => break,
            Err(error) => {
                sink.batcher.finish()?;
                return Err(failed(error));
            }
        };
        let bytes = chunk.len();
        if bytes == 0 {
            // An input may end because it was asked to: what follows its last whole record is then no record.
            sink.summary.finished = !shutdown.is_raised();
            break;
        }
        sink.now = (options.clock)();
        cutter.feed(chunk, |piece| sink.take(piece));
        input.consume(bytes);
        sink.summary.bytes += bytes as u64;
        sink.fine()?;
        // What a slow input has brought must not wait for a full batch.
        if input.buffer().is_empty() && bytes < CHUNK_FULL_BYTES {
            sink.batcher.flush()?;
        }
        progress(sink.summary.bytes, sink.summary.records);
    }
    let mut form = Ok(());
    if sink.summary.finished {
        form = cutter.finish(|piece| sink.take(piece));
        sink.fine()?;
    }
    sink.batcher.finish()?;
    let summary = sink.summary;
    form.map_err(|what| EngineError::Format {
        name: name.to_owned(),
        what: format!("is not a whole JSON array ({what}); its {} records were appended", summary.records),
    })?;
    Ok(summary)
}

/// The whole records among an input's first bytes.
fn first_records(format: Format, head: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    let whole = head.iter().rposition(|byte| *byte == b'\n').map_or(head, |end| &head[..=end]);
    Cutter::new(format).feed(whole, |piece| records.push(piece.bytes.to_vec()));
    records
}

/// A chunk shorter than this came from a source that has nothing more at the moment.
const CHUNK_FULL_BYTES: usize = 32 * 1024;

/// Where pieces go; the first failure is kept until the chunk is done.
struct Sink<'a> {
    name: &'a str,
    router: Router,
    batcher: &'a mut Batcher,
    rejects: &'a mut RejectList,
    summary: IngestSummary,
    now: Millis,
    error: Option<EngineError>,
}

impl Sink<'_> {
    fn take(&mut self, piece: Piece<'_>) {
        if self.error.is_none()
            && let Err(error) = self.append(piece)
        {
            self.error = Some(error);
        }
    }

    fn append(&mut self, piece: Piece<'_>) -> Result<(), EngineError> {
        let index = self.summary.records;
        self.summary.records += 1;
        let (partition, judged) = self.router.route(index, piece.bytes, self.now, piece.oversize.is_some());
        if let Err(reason) = judged {
            self.rejects.add(self.name, index + 1, reason, piece.bytes)?;
            self.summary.rejected += 1;
        }
        if self.batcher.push(index, partition, self.now, self.router.key(), piece.bytes, piece.oversize)? {
            self.summary.appended += 1;
        } else {
            self.summary.passed += 1;
        }
        Ok(())
    }

    fn fine(&mut self) -> Result<(), EngineError> {
        self.error.take().map_or(Ok(()), Err)
    }
}
