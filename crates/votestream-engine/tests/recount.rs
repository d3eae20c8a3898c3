//! The recount's threads and passes over made-up records: any number of threads and any memory give one answer, also where the store
//! says less than there is, and a source that fails ends it.

use std::sync::atomic::{AtomicU64, Ordering};
use votestream_election::delta::{Pin, Progress, Snapshot};
use votestream_election::event::Vote;
use votestream_election::ledger::Digest;
use votestream_election::partitioner::PartitionerSet;
use votestream_election::recount::Judged;
use votestream_election::{
    BandIx, CandidateIx, Election, GenderIx, LogId, Millis, Offset, PartitionId, RegionIx, RejectReason,
    VoterKey,
};
use votestream_engine::recount::{Claim, Feed, RecountOptions, RecountReport, Source, memory_min, recount};
use votestream_engine::{EngineError, Shutdown};

/// Records that follow from their offset: every tenth voter votes twice, every hundredth record is none, every thousandth offset is
/// empty.
struct MadeUp {
    texts: bool,
    fails_at: Option<Offset>,
    read: AtomicU64,
}

struct MadeUpFeed<'a> {
    source: &'a MadeUp,
    partition: PartitionId,
    position: Offset,
}

impl MadeUp {
    fn new(texts: bool) -> Self {
        Self { texts, fails_at: None, read: AtomicU64::new(0) }
    }

    fn judged(&self, partition: PartitionId, offset: u64) -> Judged {
        if offset % 100 == 7 {
            return Judged::Reject(RejectReason::MissingId, Digest([offset as u8; 32]));
        }
        let number = if offset % 10 == 3 { offset - 1 } else { offset };
        let id = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(partition.0);
        let voter = if self.texts { VoterKey::Text(u128::from(id) << 64 | 1) } else { VoterKey::Integer(id) };
        Judged::Vote(Vote {
            voter,
            region: RegionIx((offset % 51) as u16),
            candidate: CandidateIx((offset % 4) as u16),
            gender: GenderIx((offset % 3) as u8),
            band: BandIx((offset % 4) as u8),
            age: 30,
            moment: Millis(offset as i64),
        })
    }
}

impl Source for MadeUp {
    fn feed(&self, partition: PartitionId, from: Offset) -> Result<Box<dyn Feed + '_>, EngineError> {
        Ok(Box::new(MadeUpFeed { source: self, partition, position: from }))
    }
}

impl Feed for MadeUpFeed<'_> {
    fn read(&mut self, to: Offset, each: &mut dyn FnMut(Offset, &Judged)) -> Result<(), EngineError> {
        for offset in (self.position.0..to.0).filter(|offset| offset % 1_000 != 999) {
            if self.source.fails_at == Some(Offset(offset)) {
                return Err(EngineError::Thread("reading"));
            }
            each(Offset(offset), &self.source.judged(self.partition, offset));
        }
        self.source.read.fetch_add(to.0 - self.position.0, Ordering::Relaxed);
        self.position = to;
        Ok(())
    }

    fn position(&self) -> Offset {
        self.position
    }
}

/// A store that says to have counted so many voters on each of these partitions.
fn claim(ends: &[u64], counted: u64) -> Claim {
    let progress = (0..).zip(ends).map(|(p, end)| Progress {
        next_offset: Offset(*end),
        leader_epoch: 0,
        counted,
        rejected: 1,
        log_end: Offset(*end),
        ..Progress::begin(PartitionId(p), 0, Offset(0))
    });
    Claim {
        stored: false,
        pin: Pin {
            log_kind: "dir".to_owned(),
            log_id: LogId(1),
            partitions: ends.len() as u32,
            start_offsets: vec![Offset(0); ends.len()],
            partitioners: PartitionerSet::MURMUR2,
        },
        snapshot: Snapshot {
            store_uuid: 0,
            sequence: 0,
            as_of: None,
            progress: progress.collect(),
            totals: Vec::new(),
            ledger: Vec::new(),
            rejects: Vec::new(),
            desk: Vec::new(),
            at: None,
        },
        cells: Vec::new(),
        leaves: Vec::new(),
        reject_lists: Vec::new(),
    }
}

fn run(source: &MadeUp, ends: &[u64], counted: u64, threads: usize, memory: u64) -> RecountReport {
    let election = Election::preset("us-president-2024").expect("a preset");
    let options = RecountOptions { threads, memory, seed: 42 };
    let shutdown = Shutdown::new();
    recount(&election, source, &claim(ends, counted), &options, (&shutdown, &|_, _| {}))
        .expect("nothing is wrong")
}

fn same(a: &RecountReport, b: &RecountReport) {
    assert_eq!((a.digest, a.counted, a.records), (b.digest, b.counted, b.records));
    assert_eq!((&a.found.totals, &a.found.ledger), (&b.found.totals, &b.found.ledger));
}

const PLENTY: u64 = 1 << 30;

#[test]
fn any_threads_and_any_memory_give_one_answer() {
    for (texts, ends) in [(false, &[900_000, 70_000, 0][..]), (false, &[900_000]), (true, &[600_000])] {
        let source = MadeUp::new(texts);
        let one = run(&source, ends, 1_000_000, 1, PLENTY);
        assert_eq!(one.passes, 1);
        assert_eq!(one.counted, one.found.totals.iter().sum::<u64>());
        // Of ten offsets one is a second vote, but of every hundred one is a reject, and of every thousand one is empty.
        let offsets: u64 = ends.iter().sum();
        assert!(one.counted < offsets * 9 / 10 && one.counted > offsets * 88 / 100, "{}", one.counted);
        for threads in [2, 3, 5] {
            same(&run(&source, ends, 1_000_000, threads, PLENTY), &one);
            let little = run(&source, ends, 1_000_000, threads, memory_min(threads));
            // With two threads that is less than the voters of a partition take.
            assert!(little.passes > 1 || threads > 2, "{} passes", little.passes);
            same(&little, &one);
        }
    }
}

#[test]
fn each_pass_reads_every_record_once() {
    let (source, ends) = (MadeUp::new(false), [800_000_u64, 500_000]);
    let report = run(&source, &ends, 800_000, 2, memory_min(2));
    let read = source.read.load(Ordering::Relaxed);
    // Beside the sample that is taken beforehand, and never more than the most passes over each partition.
    let all = ends.iter().sum::<u64>();
    assert!(
        read > all && read <= all * u64::from(report.passes) + 4_096,
        "{read} in {} passes",
        report.passes
    );
}

#[test]
fn a_store_that_says_less_than_there_is_costs_time_and_no_memory() {
    let source = MadeUp::new(false);
    let honest = run(&source, &[1_500_000], 1_500_000, 2, PLENTY);
    let lied_to = run(&source, &[1_500_000], 10, 2, memory_min(2));
    assert!(lied_to.passes > 1, "{} passes", lied_to.passes);
    same(&lied_to, &honest);
}

#[test]
fn a_source_that_fails_ends_it() {
    let source = MadeUp { fails_at: Some(Offset(200_123)), ..MadeUp::new(false) };
    let election = Election::preset("us-president-2024").expect("a preset");
    let options = RecountOptions { threads: 3, memory: PLENTY, seed: 1 };
    let shutdown = Shutdown::new();
    let claim = claim(&[400_000], 1);
    let outcome = recount(&election, &source, &claim, &options, (&shutdown, &|_, _| {}));
    assert!(matches!(outcome, Err(EngineError::Thread("reading"))));
}

#[test]
fn too_little_memory_is_refused_with_the_least() {
    let election = Election::preset("us-president-2024").expect("a preset");
    let options = RecountOptions { threads: 2, memory: memory_min(2) - 1, seed: 1 };
    let shutdown = Shutdown::new();
    let outcome =
        recount(&election, &MadeUp::new(false), &claim(&[10, 10], 1), &options, (&shutdown, &|_, _| {}));
    let error = outcome.err().expect("it cannot run").to_string();
    assert!(error.contains("--memory") && error.contains("MiB"), "{error}");
}
