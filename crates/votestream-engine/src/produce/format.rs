//! Which form an input has, and a cutter for each: NDJSON, a JSON array, SSE, CSV with a header; plain, gzip or zstd.

use std::io::{self, BufRead, BufReader, Read};
use votestream_election::framing::{
    ArraySplitter, CsvLines, CsvRows, LineSplitter, Piece, RECORD_BYTES_MAX, SseEvents,
};
use votestream_election::{Election, election::FieldPath};

/// The form of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A record a line.
    Ndjson,
    /// One JSON array of records.
    Array,
    /// Server-sent events whose data are records.
    Sse,
    /// Comma-separated values with a header.
    Csv,
}

impl Format {
    /// Reads `ndjson`, `array` (or `json`), `sse`, `csv`.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "array" | "json" => Some(Self::Array),
            "sse" => Some(Self::Sse),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }

    /// Tells the form from an input's first bytes. What is none of the others is lines: each is then a record, valid or not.
    pub(super) fn sniff(head: &[u8], election: &Election) -> Self {
        let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
        let line = text.split(|b| *b == b'\n').next().unwrap_or_default();
        let sse = [&b"data:"[..], b"event:", b"id:", b"retry:", b":"];
        if text.starts_with(b"[") && !first_line_stands_alone(text) {
            Self::Array
        } else if sse.iter().any(|field| text.starts_with(field)) {
            Self::Sse
        } else if !text.starts_with(b"{")
            && CsvRows::from_header(line.trim_ascii_end()).is_some_and(|h| names_fields(&h, election))
        {
            Self::Csv
        } else {
            Self::Ndjson
        }
    }
}

/// Whether text that starts with `[` is lines, the first of which happens to be an array, rather than one array over many lines.
fn first_line_stands_alone(text: &[u8]) -> bool {
    let Some(end) = text.iter().position(|b| *b == b'\n') else { return false };
    let (line, rest) = (text[..end].trim_ascii_end(), text[end..].trim_ascii_start());
    let Some(next) = rest.first() else { return false };
    let mut whole = ArraySplitter::new();
    whole.feed(line, |_| ());
    let goes_on = line.last().is_some_and(|last| b"[,{:".contains(last));
    whole.finish(|_| ()).is_ok() || (!goes_on && b"{[".contains(next))
}

/// A header belongs to a CSV file of votes when it names the voter and a candidate.
fn names_fields(header: &CsvRows, election: &Election) -> bool {
    let has = |path: &FieldPath| header.has(&path.0);
    has(&election.mapping.voter) && election.mapping.candidate.iter().any(has)
}

/// Bytes looked at to tell the form.
const HEAD_BYTES: usize = 64 * 1024;

/// Undoes gzip; zstd through `zstd`, where the binary has it.
pub(super) fn decompressed<'a>(
    input: Box<dyn Read + Send + 'a>,
    zstd: Option<ZstdReader>,
) -> io::Result<BufReader<Box<dyn Read + Send + 'a>>> {
    let mut input = BufReader::with_capacity(HEAD_BYTES, input);
    let head = input.fill_buf()?;
    if head.starts_with(&[0x1f, 0x8b]) {
        let plain: Box<dyn Read + Send> = Box::new(flate2::bufread::MultiGzDecoder::new(input));
        return Ok(BufReader::with_capacity(HEAD_BYTES, plain));
    }
    if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let Some(zstd) = zstd else {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "it is compressed with zstd, which this small build does not read; decompress it first (zstd -dc FILE | votestream ingest -), or build with `make build`",
            ));
        };
        return Ok(BufReader::with_capacity(HEAD_BYTES, zstd(Box::new(input))?));
    }
    let plain: Box<dyn Read + Send> = Box::new(input);
    Ok(BufReader::with_capacity(HEAD_BYTES, plain))
}

/// Wraps an input in a zstd decoder.
pub type ZstdReader = for<'a> fn(Box<dyn Read + Send + 'a>) -> io::Result<Box<dyn Read + Send + 'a>>;

/// Cuts an input of a known form into records.
pub(super) enum Cutter {
    Lines(LineSplitter),
    Array(ArraySplitter),
    Sse(LineSplitter, SseEvents),
    Csv(LineSplitter, CsvLines, CsvObjects),
}

impl Cutter {
    pub(super) fn new(format: Format) -> Self {
        match format {
            Format::Ndjson => Self::Lines(LineSplitter::new()),
            Format::Array => Self::Array(ArraySplitter::new()),
            Format::Sse => Self::Sse(LineSplitter::of_events(), SseEvents::new()),
            Format::Csv => Self::Csv(LineSplitter::with_blanks(), CsvLines::default(), CsvObjects::default()),
        }
    }

    pub(super) fn feed(&mut self, chunk: &[u8], mut record: impl FnMut(Piece<'_>)) {
        match self {
            Self::Lines(lines) => lines.feed(chunk, record),
            Self::Array(array) => array.feed(chunk, record),
            Self::Sse(lines, events) => lines.feed(chunk, |line| sse_line(events, line, &mut record)),
            Self::Csv(lines, csv, objects) => {
                lines.feed(chunk, |line| csv_line(csv, objects, line, &mut record));
            }
        }
    }

    /// Ends the input; says what was wrong with its form as a whole, if anything.
    pub(super) fn finish(&mut self, mut record: impl FnMut(Piece<'_>)) -> Result<(), String> {
        match self {
            Self::Lines(lines) => lines.finish(record),
            Self::Array(array) => return array.finish(record).map_err(|error| error.to_string()),
            Self::Sse(lines, events) => {
                lines.finish(|line| sse_line(events, line, &mut record));
                events.end(record);
            }
            Self::Csv(lines, csv, objects) => {
                lines.finish(|line| csv_line(csv, objects, line, &mut record));
                csv.finish(|row| objects.row(row, &mut record));
            }
        }
        Ok(())
    }
}

fn sse_line(events: &mut SseEvents, line: Piece<'_>, record: impl FnMut(Piece<'_>)) {
    events.line(line.bytes, line.oversize.unwrap_or(line.bytes.len() as u64), record);
}

/// The header, once read, and room for a row's object.
#[derive(Default)]
pub(super) struct CsvObjects {
    header: Option<CsvRows>,
    json: Vec<u8>,
}

impl CsvObjects {
    fn row(&mut self, row: &[u8], record: &mut impl FnMut(Piece<'_>)) {
        let Some(header) = &mut self.header else {
            self.header = CsvRows::from_header(row);
            if self.header.is_none() {
                record(Piece::of_record(row));
            }
            return;
        };
        self.json.clear();
        let fits = header.row(row, &mut self.json) && self.json.len() <= RECORD_BYTES_MAX;
        record(Piece::of_record(if fits { &self.json } else { row }));
    }
}

fn csv_line(
    csv: &mut CsvLines,
    objects: &mut CsvObjects,
    line: Piece<'_>,
    record: &mut impl FnMut(Piece<'_>),
) {
    if line.oversize.is_some() {
        csv.finish(|row| objects.row(row, record));
        record(line);
    } else {
        csv.line(line.bytes, |row| objects.row(row, record));
    }
}
