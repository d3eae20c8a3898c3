//! The loop that counts by epochs, with a judge in this process that runs the domain's own fold in the place of Apache Spark: whatever goes
//! wrong on the way, the answer and its ledger are the native engine's, and no file is missing or left over.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use votestream_election::definition::US_PRESIDENT_2024;
use votestream_election::delta::{Counts, Engine, PartitionState, Progress, Snapshot, VoterFile};
use votestream_election::election::DuplicatePolicy;
use votestream_election::epoch::{PartitionAnswer, Range, SeenVoter};
use votestream_election::event::EventParser;
use votestream_election::fold::{Misrouted, PartitionCount, Record};
use votestream_election::protocol::FlushPolicy;
use votestream_election::seen::{SeenVoters, Unpacked, unpack};
use votestream_election::{Election, Millis, Offset, PartitionId, VoterKey};
use votestream_engine::count::{Clock, Committed, CountOptions, CountSummary, Everything, OnCommit};
use votestream_engine::produce::{Batcher, Pace, simulate_into_log};
use votestream_engine::spark::{Answer, EpochError, Epochs, Plan, SparkOptions};
use votestream_engine::{EngineError, Shutdown, count, spark};
use votestream_log::{DirLogUrl, LogReader, LogWriter, WriterOptions};
use votestream_sim::{Faults, SimOptions, Simulation, Votes};
use votestream_store::{ReaderStore, StoreUrl, WriterStore};

const VOTES: u64 = 220_000;
const PARTITIONS: u32 = 3;
/// Files that an epoch writes.
const FILES: usize = 4;
const NOW: Clock = || Millis(1_730_000_000_000);
/// More votes than any test replaces.
const PLENTY: u64 = 1 << 40;

/// Names of attempts.
static DRAWN: AtomicU64 = AtomicU64::new(1);

/// A voter as a file has it: of which epoch, integer or text, key, cell, partition.
type Row = (u64, bool, u128, u32, PartitionId);

/// Where files of voters lie.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<BTreeMap<String, Vec<Row>>>>);

impl Shelf {
    fn put(&self, attempt: u128, voters: u64, rows: &[Row]) -> Vec<VoterFile> {
        let mut shelf = self.0.lock().unwrap();
        let each = rows.len().div_ceil(FILES).max(1);
        let mut left = voters;
        let files = rows.chunks(each).enumerate().map(|(at, rows)| {
            let path = format!("{attempt:032x}/{at}");
            shelf.insert(path.clone(), rows.to_vec());
            let voters = left.min(rows.len() as u64);
            left -= voters;
            VoterFile { path, rows: rows.len() as u64, voters }
        });
        files.collect()
    }

    fn read(&self, files: &[VoterFile]) -> Vec<Row> {
        let shelf = self.0.lock().unwrap();
        let mut rows: Vec<Row> = files
            .iter()
            .flat_map(|file| shelf.get(&file.path).expect("a named file is there").clone())
            .collect();
        rows.sort_unstable();
        rows
    }

    fn paths(&self) -> Vec<String> {
        self.0.lock().unwrap().keys().cloned().collect()
    }
}

/// What goes wrong with a call.
#[derive(Clone, Copy, PartialEq)]
enum Trouble {
    None,
    /// The server is away before anything is done.
    Before,
    /// The server dies when files are written.
    After,
    /// The epoch is too large.
    TooLarge,
}

/// Counts epochs with the domain's own fold.
struct Judge {
    log: LogReader,
    shelf: Shelf,
    trouble: VecDeque<Trouble>,
    runs: u64,
    /// Votes are still coming in.
    live: bool,
    /// What it was told that it will be asked next.
    told: Option<Vec<Range>>,
    /// How often what it was asked was what it had been told.
    kept: u64,
}

fn away() -> EpochError {
    EpochError { may_pass: true, too_large: false, source: "the server is away, says the test".into() }
}

impl Judge {
    fn new(site: &Site, trouble: &[Trouble]) -> Self {
        let trouble = trouble.iter().copied().collect();
        let (log, shelf) = (site.log.clone(), site.shelf.clone());
        Self { log, shelf, trouble, runs: 0, live: false, told: None, kept: 0 }
    }

    fn next_trouble(&mut self) -> Trouble {
        self.trouble.pop_front().unwrap_or(Trouble::None)
    }

    fn fold(
        &self,
        plan: &Plan<'_>,
        range: Range,
        known: &[Row],
    ) -> (PartitionAnswer, Vec<Row>, PartitionCount) {
        let layout = plan.election.layout();
        let minute = plan.minutes.iter().find(|(p, _)| *p == range.partition).unwrap().1;
        let progress = Progress {
            engine: Engine::Spark,
            minute,
            log_end: range.to,
            ..Progress::begin(range.partition, 1, range.from)
        };
        let state = PartitionState {
            totals: vec![PLENTY; layout.candidates * plan.election.region_rows()],
            ..PartitionState::begin(progress, 0)
        };
        let mut seen = SeenVoters::new(plan.election.duplicate, known.len() as u64, 1);
        for row in known {
            seen.load(&unpacked(row, plan.election.duplicate));
        }
        let misrouted = if plan.misrouted_rejects { Misrouted::Reject } else { Misrouted::Stop };
        let place = (plan.partitions, plan.partitioners);
        let mut fold = PartitionCount::new(plan.election, state, seen, place, misrouted);
        fold.set_clock(plan.now);
        self.feed(plan.election, &mut fold, range);
        let delta = fold.seal(range.to).expect("a range is not empty");
        let mut fresh = Unpacked::default();
        delta.seen.iter().for_each(|part| unpack(&part.bytes, &mut fresh).unwrap());
        let (mut last, mut votes) =
            (Counts::default(), vec![PLENTY; layout.candidates * plan.election.region_rows()]);
        let timeline = delta.timeline.iter().map(|row| {
            let more = Counts {
                counted: row.counts.counted - last.counted,
                duplicate: row.counts.duplicate - last.duplicate,
                rejected: row.counts.rejected - last.rejected,
                skipped: row.counts.skipped - last.skipped,
            };
            last = row.counts;
            let moved = row.totals.iter().zip(&votes).map(|(now, was)| *now as i64 - *was as i64).collect();
            votes.clone_from(&row.totals);
            (row.minute, more, moved)
        });
        let answer = PartitionAnswer {
            range,
            counts: delta.counts,
            tally: delta.tally,
            timeline: timeline.collect(),
            rejects: delta.rejects,
            minute: delta.minute,
            misrouted: None,
        };
        (answer, rows(&fresh, self.runs, range.partition), fold)
    }

    fn feed(&self, election: &Election, fold: &mut PartitionCount, range: Range) {
        let mut parser = EventParser::new(election);
        let mut reader = self.log.partition(range.partition, range.from).unwrap();
        while fold.next() < range.to {
            let batch = reader.next_batch().unwrap().expect("what is to be counted is in the log");
            for record in batch.records() {
                let record = record.unwrap();
                if record.offset < range.to {
                    let (offset, timestamp) = (record.offset, record.timestamp);
                    let (key, value, oversize) = (record.key, record.value, record.oversize);
                    fold.record(&mut parser, &Record { offset, timestamp, key, value, oversize }).unwrap();
                }
            }
            fold.end_batch(batch.next_offset().min(range.to), batch.leader_epoch()).unwrap();
        }
    }
}

fn unpacked(row: &Row, policy: DuplicatePolicy) -> Unpacked {
    let cells = if policy == DuplicatePolicy::Last { vec![row.3] } else { Vec::new() };
    let mut one = Unpacked::default();
    if row.1 {
        (one.texts, one.text_cells) = (vec![row.2], cells);
    } else {
        (one.integers, one.integer_cells) = (vec![row.2 as u64], cells);
    }
    one
}

fn rows(fresh: &Unpacked, epoch: u64, p: PartitionId) -> Vec<Row> {
    let cell = |cells: &[u32], at: usize| cells.get(at).copied().unwrap_or(0);
    let integers = fresh.integers.iter().enumerate();
    let integers =
        integers.map(|(at, id)| (epoch, false, u128::from(*id), cell(&fresh.integer_cells, at), p));
    let texts =
        fresh.texts.iter().enumerate().map(|(at, key)| (epoch, true, *key, cell(&fresh.text_cells, at), p));
    integers.chain(texts).collect()
}

impl Epochs for Judge {
    fn open(&mut self) -> Result<(), EpochError> {
        Ok(())
    }

    fn run(&mut self, plan: &Plan<'_>) -> Result<Answer, EpochError> {
        let trouble = self.next_trouble();
        assert_eq!(plan.next.is_some(), self.live);
        if let Some(told) = self.told.take() {
            assert_eq!(told, plan.ranges);
            self.kept += 1;
        }
        // It holds unless this epoch fails.
        let told = plan.next.and_then(|next| {
            assert!(next.at <= Instant::now(), "the one before took no time at all");
            (next.ranges)()
        });
        match trouble {
            Trouble::Before => return Err(away()),
            Trouble::TooLarge => return Err(EpochError { may_pass: false, too_large: true, ..away() }),
            Trouble::After | Trouble::None => {}
        }
        let known = self.shelf.read(plan.seen);
        self.runs = self.runs.max(known.iter().map(|row| row.0).max().unwrap_or(0)) + 1;
        let (mut partitions, mut fresh, mut partitioners) = (Vec::new(), Vec::new(), plan.partitioners);
        for range in plan.ranges {
            let (answer, rows, fold) = self.fold(plan, *range, &known);
            partitioners = partitioners.intersect(fold.partitioners_left());
            partitions.push(answer);
            fresh.extend(rows);
        }
        let voters = partitions.iter().map(|part| part.counts.counted).sum();
        let files = self.shelf.put(plan.attempt, voters, &fresh);
        if trouble == Trouble::After {
            return Err(away());
        }
        self.told = told;
        Ok(Answer { partitions, files, partitioners })
    }

    fn compact(
        &mut self,
        _: &Election,
        attempt: u128,
        files: &[VoterFile],
    ) -> Result<Vec<VoterFile>, EpochError> {
        let rows = self.shelf.read(files);
        let merged = self.shelf.put(attempt, files.iter().map(|file| file.voters).sum(), &rows);
        if self.next_trouble() == Trouble::After { Err(away()) } else { Ok(merged) }
    }

    fn put(
        &mut self,
        election: &Election,
        attempt: u128,
        voters: &[SeenVoter],
    ) -> Result<Vec<VoterFile>, EpochError> {
        let trouble = self.next_trouble();
        if trouble == Trouble::Before {
            return Err(away());
        }
        let row = |seen: &SeenVoter| {
            assert_eq!(seen.choice.is_some(), election.duplicate == DuplicatePolicy::Last);
            let (text, key) = match seen.voter {
                VoterKey::Integer(id) => (false, u128::from(id)),
                VoterKey::Text(key) => (true, key),
            };
            (0, text, key, seen.choice.map_or(0, |(cell, _)| cell), seen.partition)
        };
        let rows: Vec<Row> = voters.iter().map(row).collect();
        let files = self.shelf.put(attempt, rows.len() as u64, &rows);
        if trouble == Trouble::After { Err(away()) } else { Ok(files) }
    }

    fn voters(
        &mut self,
        election: &Election,
        files: &[VoterFile],
        each: &mut dyn FnMut(&[SeenVoter]),
    ) -> Result<(), EpochError> {
        // A later epoch's choice stays.
        let mut latest = BTreeMap::new();
        for (_, text, key, cell, partition) in self.shelf.read(files) {
            let voter = if text { VoterKey::Text(key) } else { VoterKey::Integer(key as u64) };
            let choice = (election.duplicate == DuplicatePolicy::Last).then_some((cell, Offset(0)));
            latest.insert(voter, SeenVoter { voter, partition, choice });
        }
        let trouble = self.next_trouble();
        if trouble == Trouble::Before {
            return Err(away());
        }
        for (piece, voters) in latest.into_values().collect::<Vec<_>>().chunks(10_000).enumerate() {
            if trouble == Trouble::After && piece == 1 {
                return Err(away());
            }
            each(voters);
        }
        Ok(())
    }

    fn remove(&mut self, _: &Election, attempts: &[u128]) -> Result<(), EpochError> {
        let theirs =
            |path: &str| attempts.iter().any(|attempt| path.starts_with(&format!("{attempt:032x}/")));
        self.shelf.0.lock().unwrap().retain(|path, _| !theirs(path));
        Ok(())
    }
}

/// A log with every kind of record, and a store.
struct Site {
    election: Election,
    log: LogReader,
    store: WriterStore,
    url: StoreUrl,
    shelf: Shelf,
    dir: tempfile::TempDir,
}

impl Site {
    fn new(policy: DuplicatePolicy) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut election = Election::preset(US_PRESIDENT_2024).unwrap();
        election.duplicate = policy;
        let faults = Faults { duplicates: 0.05, invalid: 0.02, changed: 0.03, ..Faults::NONE };
        let options = SimOptions { votes: Votes::Count(VOTES), faults, ..SimOptions::default() };
        let simulation = Simulation::new(&election, &options).unwrap();
        let url = DirLogUrl { path: dir.path().join("log"), codec: None, partitions: Some(PARTITIONS) };
        let writer = LogWriter::open(&url, WriterOptions::default()).unwrap();
        let mut batcher = Batcher::new(writer.handle(), PARTITIONS, None);
        let never = Shutdown::new();
        simulate_into_log(&simulation, &mut batcher, Pace::Max, (&never, &|_| ())).unwrap();
        writer.close().unwrap();
        let log = LogReader::open(&DirLogUrl::new(&url.path), None).unwrap();
        let url = StoreUrl::sqlite(dir.path().join("results.db"));
        let store = WriterStore::open(&url).unwrap();
        Self { election: simulation.election(), log, store, url, shelf: Shelf::default(), dir }
    }

    fn count(&mut self, judge: &mut Judge, stop_at: u64) -> Result<CountSummary, EngineError> {
        let shutdown = Shutdown::new();
        let stop = shutdown.clone();
        let on_commit: OnCommit = Arc::new(move |committed: &Committed| {
            if committed.records >= stop_at {
                stop.raise();
            }
        });
        let options = SparkOptions {
            count: CountOptions { until_end: !judge.live, ..options() },
            live_every: Duration::ZERO,
            records: 5_000,
            draw: || u128::from(DRAWN.fetch_add(1, Ordering::Relaxed)),
        };
        spark::run(&self.election, &self.log, &mut self.store, &options, judge, (&shutdown, &on_commit))
    }

    /// What a store says, but for who counted it and how often.
    fn held(&self, url: &StoreUrl) -> (Snapshot, Vec<i64>, String, Vec<usize>) {
        let reader = ReaderStore::open(url).unwrap();
        let id = &self.election.id;
        reader.verify(id).unwrap();
        let mut snapshot = reader.snapshot(id).unwrap();
        (snapshot.store_uuid, snapshot.sequence) = (0, 0);
        for progress in &mut snapshot.progress {
            (progress.epoch, progress.engine, progress.flushes, progress.outside) = (0, Engine::Native, 0, 0);
        }
        let cells = votestream_store::SeenReader::open(url).unwrap().full_cells(id).unwrap();
        let timeline = format!("{:?}", reader.timeline(id, None, None).unwrap());
        let leaves = snapshot.progress.iter().map(|p| reader.leaves(id, p.partition).unwrap().len());
        let leaves = leaves.collect();
        assert_eq!(
            reader.rejects(id, usize::MAX, None).unwrap().len() as u64,
            snapshot.progress.iter().map(|p| p.rejected).sum::<u64>()
        );
        (snapshot, cells, timeline, leaves)
    }

    fn count_natively(&self) -> StoreUrl {
        let url = StoreUrl::sqlite(self.dir.path().join("native.db"));
        natively(&self.election, &self.log, &mut WriterStore::open(&url).unwrap(), u64::MAX).unwrap();
        url
    }

    fn bring_back(&mut self, judge: &mut Judge) -> Option<u64> {
        let never = Shutdown::new();
        spark::bring_back(&self.election, &self.log, &mut self.store, &options(), judge, &never).unwrap()
    }

    fn agrees_with_the_native_count(&self) {
        let native = self.count_natively();
        let (ours, theirs) = (self.held(&self.url), self.held(&native));
        assert_eq!(ours.0.progress, theirs.0.progress);
        assert_eq!(ours, theirs);
        assert!(theirs.3.iter().sum::<usize>() >= 1 && theirs.0.rejects.len() > 3, "the log is no small one");
    }
}

/// Counts natively until so many records are counted, or to the end.
fn natively(
    election: &Election,
    log: &LogReader,
    store: &mut WriterStore,
    stop_at: u64,
) -> Result<CountSummary, EngineError> {
    let shutdown = Shutdown::new();
    let stop = shutdown.clone();
    let on_commit: OnCommit = Arc::new(move |committed: &Committed| {
        if committed.records >= stop_at {
            stop.raise();
        }
    });
    let mut options = options();
    if stop_at < u64::MAX {
        options.flush.records_max = 2_000;
    }
    count::run(election, log, store, &options, (&Everything::of(log), &shutdown), &on_commit)
}

fn options() -> CountOptions {
    CountOptions {
        threads: 1,
        until_end: true,
        from_log_start: false,
        misrouted: Misrouted::Stop,
        flush: FlushPolicy::default(),
        clock: NOW,
        seed: 1,
        voters_expected: VOTES,
    }
}

fn check(policy: DuplicatePolicy, trouble: &[Trouble]) {
    let mut site = Site::new(policy);
    let mut judge = Judge::new(&site, trouble);
    let summary = site.count(&mut judge, u64::MAX).unwrap();
    let records: u64 = site.log.end_offsets().unwrap().iter().map(|end| end.0).sum();
    assert_eq!(summary.records, records);
    assert!(summary.flushes > 12, "{} epochs", summary.flushes);
    site.agrees_with_the_native_count();
    // With nothing to count, a run takes over, sweeps, and changes nothing.
    assert_eq!(site.count(&mut judge, u64::MAX).unwrap().records, 0);
    site.agrees_with_the_native_count();
    let outside = site.store.outside(&site.election.id).unwrap();
    let named: Vec<String> = outside.files.into_iter().map(|file| file.path).collect();
    assert_eq!(
        (site.shelf.paths(), outside.attempts),
        (named, Vec::new()),
        "no file is missing or left over"
    );
}

#[test]
fn epochs_come_to_the_native_count() {
    check(DuplicatePolicy::First, &[]);
}

#[test]
fn so_they_do_where_the_last_vote_counts() {
    check(DuplicatePolicy::Last, &[]);
}

#[test]
fn a_server_that_goes_away_at_any_time_changes_nothing() {
    use Trouble::{After, Before, None, TooLarge};
    check(
        DuplicatePolicy::First,
        &[Before, TooLarge, TooLarge, None, After, None, None, After, After, Before, None, None, None, After],
    );
    // The seventeenth call merges files.
    let mut late = vec![None; 15];
    late.extend([After; 3]);
    check(DuplicatePolicy::Last, &late);
}

#[test]
fn live_the_next_epoch_is_cut_while_one_is_counted() {
    use Trouble::{After, Before, None, TooLarge};
    let mut site = Site::new(DuplicatePolicy::First);
    let trouble = [None, None, TooLarge, None, None, After, None, Before, None];
    let mut judge = Judge { live: true, ..Judge::new(&site, &trouble) };
    let records: u64 = site.log.end_offsets().unwrap().iter().map(|end| end.0).sum();
    assert_eq!(site.count(&mut judge, records).unwrap().records, records);
    assert!(judge.kept > 12, "{} epochs", judge.kept);
    // What is left is to hash the last leaves.
    judge = Judge::new(&site, &[]);
    assert_eq!(site.count(&mut judge, u64::MAX).unwrap().records, 0);
    site.agrees_with_the_native_count();
}

#[test]
fn told_to_stop_it_leaves_a_backlog_and_goes_on_later() {
    let mut site = Site::new(DuplicatePolicy::First);
    let mut judge = Judge::new(&site, &[]);
    let mut counted = 0;
    for part in 1..4 {
        let summary = site.count(&mut judge, 20_000).unwrap();
        assert!((20_000..60_000).contains(&summary.records), "part {part}: {}", summary.records);
        counted += summary.records;
        let snapshot = site.store.snapshot(&site.election.id).unwrap();
        assert_eq!(snapshot.progress.iter().map(Progress::records).sum::<u64>(), counted);
        ReaderStore::open(&site.url).unwrap().verify(&site.election.id).unwrap();
    }
    site.count(&mut judge, u64::MAX).unwrap();
    site.agrees_with_the_native_count();
}

/// Native, Spark, native, twice and with troubles on the way: nothing is lost, doubled or left over.
fn check_changes(policy: DuplicatePolicy, out: &[Trouble], back: &[Trouble]) {
    let mut site = Site::new(policy);
    let mut judge = Judge::new(&site, &[]);
    let id = site.election.id.clone();
    for round in 0..2 {
        natively(&site.election, &site.log, &mut site.store, 20_000).unwrap();
        let before = site.store.snapshot(&id).unwrap();
        judge.trouble = out.iter().copied().collect();
        assert!(site.count(&mut judge, 30_000).unwrap().records >= 30_000, "round {round}");
        let progress = site.store.snapshot(&id).unwrap().progress;
        for (now, before) in progress.iter().zip(&before.progress) {
            assert_eq!((now.engine, now.outside), (Engine::Spark, now.counted));
            assert!(now.epoch > before.epoch && now.next_offset > before.next_offset);
        }
        ReaderStore::open(&site.url).unwrap().verify(&id).unwrap();
        judge.trouble = back.iter().copied().collect();
        let counted = progress.iter().map(|progress| progress.counted).sum();
        assert_eq!(site.bring_back(&mut judge), Some(counted));
        let progress = site.store.snapshot(&id).unwrap().progress;
        assert!(progress.iter().all(|p| p.engine == Engine::Native && p.is_inside()));
        assert_eq!(site.bring_back(&mut judge), Some(0), "it is there already");
        ReaderStore::open(&site.url).unwrap().verify(&id).unwrap();
    }
    natively(&site.election, &site.log, &mut site.store, u64::MAX).unwrap();
    site.agrees_with_the_native_count();
    let outside = site.store.outside(&id).unwrap();
    assert_eq!((site.shelf.paths(), outside.files, outside.attempts), (Vec::new(), Vec::new(), Vec::new()));
}

#[test]
fn a_running_election_changes_its_engine_and_back() {
    use Trouble::{After, Before, None};
    check_changes(DuplicatePolicy::First, &[Before, After, None, After], &[Before, After]);
}

#[test]
fn so_it_does_where_the_last_vote_counts() {
    check_changes(DuplicatePolicy::Last, &[], &[Trouble::After]);
}

#[test]
fn the_native_engine_does_not_go_on_without_voters_that_lie_outside() {
    let mut site = Site::new(DuplicatePolicy::First);
    let mut judge = Judge::new(&site, &[]);
    site.count(&mut judge, 20_000).unwrap();
    let before = site.store.snapshot(&site.election.id).unwrap();
    let native = natively(&site.election, &site.log, &mut site.store, u64::MAX);
    let text = native.expect_err("refused").to_string();
    for words in ["counted on Apache Spark", "count --engine native --remote sc://", "recount --from-scratch"]
    {
        assert!(text.contains(words), "{text}");
    }
    assert_eq!(site.store.snapshot(&site.election.id).unwrap(), before, "whoever counts is left alone");
}
