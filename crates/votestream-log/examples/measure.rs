//! Measures the log on votes of about 105 bytes of JSON: ns a vote to lay out, to write, to read; bytes a vote on disk.
//!
//! `cargo run --release -p votestream-log --example measure [votes] [directory]`

use std::path::PathBuf;
use std::time::{Duration, Instant};
use votestream_election::{Millis, Offset, PartitionId};
use votestream_log::batch::{BatchDecoder, BatchEncoder, Place};
use votestream_log::{BatchBuilder, Codec, DirLogUrl, LogReader, LogWriter, WriterOptions};

const PARTITIONS: u32 = 4;
const BATCH_BYTES: usize = 1 << 20;
const STATES: [&str; 12] = [
    "Ohio",
    "California",
    "Texas",
    "New York",
    "Florida",
    "Pennsylvania",
    "Georgia",
    "North Carolina",
    "Massachusetts",
    "Washington",
    "Arizona",
    "Wisconsin",
];

/// Votes as they come: in `night` order by state, else mixed.
struct Votes {
    state: u64,
    made: u64,
    night: bool,
}

impl Votes {
    fn draw(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    fn next(&mut self, out: &mut Vec<u8>) {
        use std::io::Write;
        let id = 1_000_000_000_000_000 + self.draw() % 9_000_000_000_000_000;
        let state = if self.night { self.made / 20_000 } else { self.draw() };
        let state = STATES[(state % STATES.len() as u64) as usize];
        let decision = match self.draw() % 1000 {
            0..490 => "Donald Trump",
            490..980 => "Kamala Harris",
            980..990 => "Jill Stein",
            _ => "Other",
        };
        let gender = if self.draw() & 1 == 0 { "Male" } else { "Female" };
        let age = 18 + self.draw() % 75;
        self.made += 1;
        let text = format_args!(
            r#"{{"id":{id},"gender":"{gender}","age":{age},"state":"{state}","decision":"{decision}"}}"#
        );
        out.write_fmt(text).expect("a vector takes all");
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let votes: u64 = args.next().map_or(4_000_000, |text| text.parse().expect("a count of votes"));
    let dir = args.next().map_or_else(std::env::temp_dir, PathBuf::from).join("votestream-log-measure");
    for codec in [Codec::None, Codec::Lz4, Codec::Zstd].into_iter().filter(|codec| codec.available()) {
        for night in [true, false] {
            println!("{codec}, {}:", if night { "night" } else { "shuffled" });
            codec_alone(codec, night);
            whole_log(&dir, codec, night, votes);
        }
    }
}

fn per_vote(what: &str, time: Duration, votes: u64) {
    println!("  {what:<34} {:7.1} ns a vote", time.as_nanos() as f64 / votes as f64);
}

/// One thread, no disk: laying out, encoding, decoding with a walk over the records.
fn codec_alone(codec: Codec, night: bool) {
    const ROUNDS: u64 = 30;
    let mut source = Votes { state: 88_172_645_463_325_252, made: 0, night };
    let mut values = Vec::new();
    let mut json = Vec::new();
    for _ in 0..9_000 {
        json.clear();
        source.next(&mut json);
        values.push(json.clone());
    }
    let mut builder = BatchBuilder::new(usize::MAX);
    let mut encoder = BatchEncoder::new(codec).expect("an available codec");
    let mut decoder = BatchDecoder::new();
    let (mut out, mut read) = (Vec::new(), 0);
    let [mut push, mut encode, mut decode] = [Duration::MAX; 3];
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for (value, n) in values.iter().zip(0..) {
            builder.push(Millis(n / 4), value, None);
        }
        let mut sealed = builder.seal(None);
        push = push.min(start.elapsed());
        let start = Instant::now();
        encoder.encode(&mut sealed, Place { base: Offset(0), epoch: 1, synced: Offset(0) }, &mut out);
        encode = encode.min(start.elapsed());
        let start = Instant::now();
        let batch = decoder.decode(&out).expect("what was encoded");
        for record in batch.records() {
            read += record.expect("what was encoded").value.map_or(0, <[u8]>::len);
        }
        decode = decode.min(start.elapsed());
    }
    let votes = values.len() as u64;
    let start = Instant::now();
    for _ in 0..ROUNDS {
        let batch = decoder.decode(&out).expect("what was encoded");
        read += batch.header().bytes;
    }
    let unpack = start.elapsed() / ROUNDS as u32;
    per_vote("lay out (best)", push, votes);
    per_vote("compress, checksum (best)", encode, votes);
    per_vote("check, decompress, walk (best)", decode, votes);
    per_vote("  of which check, decompress", unpack, votes);
    assert!(read > 0);
    println!(
        "  {:<34} {:7.1} B a vote, {:.1} B of them laid out",
        "batch",
        out.len() as f64 / votes as f64,
        (values.iter().map(Vec::len).sum::<usize>() as f64) / votes as f64
    );
}

/// The log as a whole, the making of the JSON apart.
fn whole_log(dir: &PathBuf, codec: Codec, night: bool, votes: u64) {
    let _ = std::fs::remove_dir_all(dir);
    let url = DirLogUrl { path: dir.clone(), codec: Some(codec), partitions: Some(PARTITIONS) };
    let writer = LogWriter::open(&url, WriterOptions::default()).expect("a new log");
    let handle = writer.handle();
    let mut source = Votes { state: 88_172_645_463_325_252, made: 0, night };
    let mut builders: Vec<_> = (0..PARTITIONS).map(|_| BatchBuilder::new(BATCH_BYTES)).collect();
    let mut making = Duration::ZERO;
    let (start, cpu) = (Instant::now(), cpu_time());
    let mut json = Vec::new();
    let mut ends = Vec::new();
    let mut n = 0;
    while n < votes {
        let made = Instant::now();
        json.clear();
        ends.clear();
        for _ in 0..1000 {
            source.next(&mut json);
            ends.push(json.len());
        }
        making += made.elapsed();
        let mut from = 0;
        for end in &ends {
            let partition = (n % u64::from(PARTITIONS)) as usize;
            builders[partition].push(Millis(n as i64 / 1000), &json[from..*end], None);
            if builders[partition].is_full() {
                handle.append(PartitionId(partition as u32), builders[partition].seal(None)).expect("room");
            }
            (from, n) = (*end, n + 1);
        }
    }
    for (builder, partition) in builders.iter_mut().zip(0..).filter(|(builder, _)| !builder.is_empty()) {
        handle.append(PartitionId(partition), builder.seal(None)).expect("room");
    }
    handle.flush().expect("a disk");
    per_vote("write, wall clock, making apart", start.elapsed().saturating_sub(making), n);
    per_vote("write, CPU of all threads, likewise", cpu_time().saturating_sub(cpu + making), n);
    let reader = LogReader::open(&url, Some(writer.watch())).expect("the log");
    let (start, mut read, mut bytes) = (Instant::now(), 0, 0);
    for partition in 0..PARTITIONS {
        let mut reader = reader.partition(PartitionId(partition), Offset(0)).expect("the partition");
        while let Some(batch) = reader.next_batch().expect("what was written") {
            for record in batch.records() {
                bytes += record.expect("what was written").value.map_or(0, <[u8]>::len);
                read += 1;
            }
        }
    }
    assert_eq!(read, n);
    per_vote("read, one thread", start.elapsed(), n);
    writer.close().expect("a disk");
    let start = Instant::now();
    drop(LogWriter::open(&url, WriterOptions::default()).expect("the log"));
    println!("  {:<34} {:7.0} ms", "open again", start.elapsed().as_secs_f64() * 1e3);
    let disk: u64 = (0..PARTITIONS).map(|partition| dir_bytes(&dir.join(partition.to_string()))).sum();
    println!("  {:<34} {:7.1} B a vote of {:.1} B", "disk", disk as f64 / n as f64, bytes as f64 / n as f64);
    std::fs::remove_dir_all(dir).expect("our own directory");
}

fn dir_bytes(dir: &PathBuf) -> u64 {
    let entries = std::fs::read_dir(dir).expect("our own directory");
    entries.map(|entry| entry.and_then(|entry| entry.metadata()).expect("our own file").len()).sum()
}

/// CPU time of this process so far, to 10 ms.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<i64> =
        stat.rsplit(')').next().unwrap_or_default().split(' ').filter_map(|n| n.parse().ok()).collect();
    // After the name and the state's letter: ppid is the first number, so utime and stime are the 11th and 12th.
    Duration::from_millis(fields.iter().skip(10).take(2).sum::<i64>().unsigned_abs() * 10)
}
