//! What a flush costs: CPU, wall clock and bytes written, live (small flushes) and in bulk; what a snapshot and a reload cost.
//! `cargo run --release -p votestream-store --example flush_cost [postgres://… [partitions]]`: without a URL into SQLite; a database of
//! that URL must be empty, and is left with what was counted. Processor time is read from Linux's schedstat: this process's, not a server's.

use std::path::Path;
use std::time::{Duration, Instant};
use votestream_election::cells::CellLayout;
use votestream_election::delta::{
    Counts, Engine, Fence, FlushOutcome, OpenLeaf, PartitionDelta, Pin, SeenRow, TimelineRow,
};
use votestream_election::ledger::{Digest, LEAF_OFFSETS, LeafSeal, chain};
use votestream_election::partitioner::PartitionerSet;
use votestream_election::seen::{Unpacked, pack};
use votestream_election::{Election, LogId, Millis, Minute, Offset, PartitionId, RegionIx};
use votestream_store::{ReaderStore, StoreError, StoreUrl, WriterStore};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let url: Option<StoreUrl> = arguments.next().map(|url| url.parse().expect("a store's URL"));
    let partitions: u32 = arguments.next().map_or(4, |n| n.parse().expect("a number of partitions"));
    // Into a server, which fsyncs each, fewer say as much.
    let live = if url.is_some() { 1_000 } else { 3_000 };
    for (number, (name, flushes, votes)) in [
        ("live, 10 votes a partition", live, 10),
        ("live, 50", live, 50),
        ("live, 200", live, 200),
        ("bulk, 250,000", 160 / u64::from(partitions), 250_000),
    ]
    .into_iter()
    .enumerate()
    {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("results.db");
        let url = url.clone().unwrap_or_else(|| StoreUrl::sqlite(&path));
        run(&url, &format!("cost-{number}"), name, (partitions, flushes, votes));
        if let StoreUrl::Sqlite(path) = url {
            let bytes = std::fs::metadata(path).map_or(0, |m| m.len());
            println!(
                "  store: {bytes} bytes, {:.2} a vote",
                bytes as f64 / (flushes * votes * u64::from(partitions)) as f64
            );
        }
    }
}

fn run(url: &StoreUrl, id: &str, name: &str, (partitions, flushes, votes): (u32, u64, u64)) {
    let mut election = Election::preset("us-president-2024").expect("built in");
    id.clone_into(&mut election.id);
    let mut store = WriterStore::open(url).expect("a store");
    let pin = Pin {
        log_kind: "dir".into(),
        log_id: LogId(1),
        partitions,
        start_offsets: vec![Offset(0); partitions as usize],
        partitioners: PartitionerSet::MURMUR2,
    };
    store.create_or_resume(&election, &pin, Millis(0)).expect("an election");
    let all: Vec<_> = (0..partitions).map(PartitionId).collect();
    store.take_over(&election.id, &all, Engine::Native).expect("the partitions");
    let mut source = Source::new(&election, partitions);
    let (mut flush_cpu, mut flush_wall, mut slowest) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let (mut compact_cpu, mut compactions, mut longest) = (Duration::ZERO, 0_u32, Duration::ZERO);
    let before = written();
    for flush in 0..flushes {
        let deltas: Vec<_> = all.iter().map(|p| source.delta(*p, votes)).collect();
        let (cpu, wall) = (cpu_time(), Instant::now());
        let outcome = store.flush(&election.id, &deltas, Millis(flush as i64)).expect("a flush");
        assert!(matches!(outcome, FlushOutcome::Committed { .. }));
        flush_cpu += cpu_time().saturating_sub(cpu);
        flush_wall += wall.elapsed();
        slowest = slowest.max(wall.elapsed());
        for partition in store.compaction_due(&election.id).expect("compaction") {
            let (cpu, wall) = (cpu_time(), Instant::now());
            store.compact_seen(&election.id, partition).expect("compaction");
            compact_cpu += cpu_time().saturating_sub(cpu);
            longest = longest.max(wall.elapsed());
            compactions += 1;
        }
    }
    let n = u32::try_from(flushes).unwrap_or(u32::MAX);
    println!("{name}: {flushes} flushes of {partitions} partitions");
    println!("  flush: {:?} CPU, {:?} wall, slowest {slowest:?}", flush_cpu / n, flush_wall / n);
    println!("  compaction: {compactions} times, {:?} CPU a flush, longest {longest:?}", compact_cpu / n);
    println!("  written: {} bytes a flush", (written() - before) / flushes);
    reading(url, &election, &store, partitions);
}

fn reading(url: &StoreUrl, election: &Election, store: &WriterStore, partitions: u32) {
    let reader = ReaderStore::open(url).expect("a reader");
    let per = |what: &str, times: u32, call: &dyn Fn()| {
        let wall = Instant::now();
        (0..times).for_each(|_| call());
        println!("  {what}: {:?}", wall.elapsed() / times);
    };
    per("snapshot", 100, &|| drop(reader.snapshot(&election.id).expect("a snapshot")));
    per("changed", 1_000, &|| {
        std::hint::black_box(reader.changed().expect("an answer"));
    });
    let seen = store.seen_reader().expect("a reader");
    per("reading all seen rows", 1, &|| {
        for p in 0..partitions {
            let each = &mut |row: SeenRow| {
                std::hint::black_box(row);
                Ok::<_, StoreError>(())
            };
            seen.for_each_seen(&election.id, PartitionId(p), each).expect("the rows");
        }
    });
}

/// Deltas as the counting fold seals them, of random votes.
struct Source {
    layout: CellLayout,
    regions: u64,
    random: u64,
    next: Vec<u64>,
    totals: Vec<Vec<u64>>,
    chains: Vec<Digest>,
}

impl Source {
    fn new(election: &Election, partitions: u32) -> Self {
        let (layout, regions) = (election.layout(), election.region_rows());
        let partitions = partitions as usize;
        Self {
            layout,
            regions: regions as u64,
            random: 1,
            next: vec![0; partitions],
            totals: vec![vec![0; regions * layout.candidates]; partitions],
            chains: vec![Digest::default(); partitions],
        }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((u128::from(self.random) * u128::from(below)) >> 64) as u64
    }

    fn delta(&mut self, partition: PartitionId, votes: u64) -> PartitionDelta {
        let p = partition.0 as usize;
        let cells = self.layout.cells();
        let mut tally = vec![0_i64; self.regions as usize * cells];
        let mut fresh = Unpacked::default();
        for _ in 0..votes {
            // Larger regions get more votes, as states do.
            let (a, b) = (self.draw(self.regions), self.draw(self.regions));
            let (region, cell) = (a.min(b) as usize, self.draw(cells as u64) as usize);
            tally[region * cells + cell] += 1;
            self.totals[p][region * self.layout.candidates + self.layout.candidate_of(cell)] += 1;
            fresh.integers.push(1_000_000_000_000_000 + self.draw(9_000_000_000_000_000));
        }
        fresh.sort();
        let from = self.next[p];
        let to = from + votes;
        self.next[p] = to;
        let leaves = (from / LEAF_OFFSETS..to / LEAF_OFFSETS)
            .map(|number| {
                let digest = Digest([number as u8; 32]);
                self.chains[p] = chain(&self.chains[p], &digest);
                LeafSeal { number, records: LEAF_OFFSETS, digest, chain: self.chains[p] }
            })
            .collect();
        let counts = Counts { counted: votes, ..Counts::default() };
        let minute = Minute((to / 20_000) as i64);
        PartitionDelta {
            partition,
            fence: Fence { from: Offset(from), epoch: 1, engine: Engine::Native },
            to: Offset(to),
            leader_epoch: 0,
            counts,
            tally: tally
                .chunks(cells)
                .enumerate()
                .filter(|(_, c)| c.iter().any(|n| *n != 0))
                .map(|(r, c)| (RegionIx(r as u16), c.to_vec()))
                .collect(),
            timeline: vec![TimelineRow {
                minute,
                counts: Counts { counted: to, ..Counts::default() },
                totals: self.totals[p].clone(),
            }],
            seen: pack(&fresh),
            outside: 0,
            rejects: Vec::new(),
            leaves,
            open_leaf: Some(OpenLeaf::default()),
            minute: Some(minute),
            log_end: Offset(to),
            partitioners: PartitionerSet::MURMUR2,
        }
    }
}

/// Processor time of this thread; zero where the system does not say.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0))
}

/// Bytes that this process has written to storage so far; zero where the system does not say.
fn written() -> u64 {
    let text = std::fs::read_to_string(Path::new("/proc/self/io")).unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix("wchar: "));
    line.and_then(|n| n.parse().ok()).unwrap_or(0)
}
