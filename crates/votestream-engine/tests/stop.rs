//! A worker that is to stop, or to count other partitions, does so with a backlog before it: it does not read that to its end first.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use votestream_election::definition::US_PRESIDENT_2024;
use votestream_election::fold::Misrouted;
use votestream_election::protocol::FlushPolicy;
use votestream_election::{Election, Millis, PartitionId};
use votestream_engine::Shutdown;
use votestream_engine::count::{
    Assigned, Assignment, Clock, Committed, CountOptions, CountSummary, Everything, OnCommit, run,
};
use votestream_engine::produce::{Batcher, Pace, simulate_into_log};
use votestream_log::{DirLogUrl, LogError, LogReader, LogWriter, WriterOptions};
use votestream_sim::{SimOptions, Simulation, Votes};
use votestream_store::{StoreUrl, WriterStore};

/// Votes before the worker.
const BACKLOG: u64 = 300_000;
const PARTITIONS: u32 = 2;
/// Records of a flush, far fewer than the backlog.
const FLUSH: u64 = 4_000;
/// No test waits longer for a condition.
const PATIENCE: Duration = Duration::from_secs(90);
const NOW: Clock = || Millis(1_730_000_000_000);

/// A log with a backlog, and an empty store.
struct Site {
    election: Election,
    log: LogReader,
    store: WriterStore,
    _dir: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let election = Election::preset(US_PRESIDENT_2024).unwrap();
        let options = SimOptions { votes: Votes::Count(BACKLOG), ..SimOptions::default() };
        let simulation = Simulation::new(&election, &options).unwrap();
        let url = DirLogUrl { path: dir.path().join("log"), codec: None, partitions: Some(PARTITIONS) };
        let writer = LogWriter::open(&url, WriterOptions::default()).unwrap();
        let mut batcher = Batcher::new(writer.handle(), PARTITIONS, None);
        let never = Shutdown::new();
        simulate_into_log(&simulation, &mut batcher, Pace::Max, (&never, &|_| ())).unwrap();
        writer.close().unwrap();
        let log = LogReader::open(&DirLogUrl::new(&url.path), None).unwrap();
        let store = WriterStore::open(&StoreUrl::sqlite(dir.path().join("results.db"))).unwrap();
        Self { election: simulation.election(), log, store, _dir: dir }
    }

    fn count(
        &mut self,
        assignment: &dyn Assignment,
        shutdown: &Shutdown,
        on_commit: &OnCommit,
    ) -> CountSummary {
        let options = CountOptions {
            threads: 1,
            until_end: false,
            from_log_start: false,
            misrouted: Misrouted::Stop,
            flush: FlushPolicy { records_max: FLUSH, ..FlushPolicy::default() },
            clock: NOW,
            seed: 1,
            voters_expected: BACKLOG,
        };
        run(&self.election, &self.log, &mut self.store, &options, (assignment, shutdown), on_commit).unwrap()
    }

    fn counted(&self) -> u64 {
        self.store
            .snapshot(&self.election.id)
            .unwrap()
            .progress
            .iter()
            .map(votestream_election::delta::Progress::records)
            .sum()
    }
}

#[test]
fn told_to_stop_it_leaves_a_backlog() {
    let mut site = Site::new();
    let everything = Everything::of(&site.log);
    let shutdown = Shutdown::new();
    let stop = shutdown.clone();
    // While this is called nothing is committed, and what may be sealed meanwhile is bounded.
    let on_commit: OnCommit = Arc::new(move |committed: &Committed| {
        if committed.records > 0 {
            stop.raise();
        }
    });
    let summary = site.count(&everything, &shutdown, &on_commit);
    assert!(summary.records > 0 && summary.records < BACKLOG / 2, "{} of {BACKLOG}", summary.records);
    assert_eq!(site.counted(), summary.records, "what was begun is committed");

    // Another run counts the rest.
    let shutdown = Shutdown::new();
    let stop = shutdown.clone();
    let left = BACKLOG - summary.records;
    let on_commit: OnCommit = Arc::new(move |committed: &Committed| {
        if committed.records == left {
            stop.raise();
        }
    });
    assert_eq!(site.count(&everything, &shutdown, &on_commit).records, left);
    assert_eq!(site.counted(), BACKLOG);
}

/// Both partitions at first, then the first one alone.
#[derive(Default)]
struct Dealt {
    dealt: Mutex<Told>,
    changed: Condvar,
}

#[derive(Default)]
struct Told {
    generation: u64,
    /// The worker has heard of it.
    heard: bool,
}

impl Dealt {
    /// Takes the second partition away and waits until the worker has heard of that.
    fn change(&self) {
        let mut told = self.dealt.lock().unwrap();
        told.generation = 1;
        self.changed.notify_all();
        let waited = self.changed.wait_timeout_while(told, PATIENCE, |told| !told.heard).unwrap();
        assert!(!waited.1.timed_out(), "the worker looks for changes");
    }

    fn assigned(told: &Told) -> Assigned {
        let partitions = if told.generation == 0 { PARTITIONS } else { 1 };
        Assigned { generation: told.generation, partitions: (0..partitions).map(PartitionId).collect() }
    }
}

impl Assignment for Dealt {
    fn now(&self) -> Assigned {
        Self::assigned(&self.dealt.lock().unwrap())
    }

    fn wait_change(&self, since: u64, patience: Duration) -> Result<Assigned, LogError> {
        let told = self.dealt.lock().unwrap();
        let waited = self.changed.wait_timeout_while(told, patience, |told| told.generation == since);
        let mut told = waited.unwrap().0;
        told.heard |= told.generation > 0;
        self.changed.notify_all();
        Ok(Self::assigned(&told))
    }

    fn shared(&self) -> bool {
        true
    }

    fn stand_down(&self, _: bool) {}
}

#[test]
fn a_partition_that_is_anothers_is_left_with_its_backlog() {
    let mut site = Site::new();
    let dealt = Arc::new(Dealt::default());
    let shutdown = Shutdown::new();
    let ends = site.log.end_offsets().unwrap();
    let (stop, dealing, end, changed) =
        (shutdown.clone(), Arc::clone(&dealt), ends[0], AtomicBool::new(false));
    let on_commit: OnCommit = Arc::new(move |committed: &Committed| {
        if committed.records > 0 && !changed.swap(true, Ordering::AcqRel) {
            dealing.change();
        } else if committed.next[0] == end {
            stop.raise();
        } else {
            // A store that takes its time: longer than hearing of the change takes to be heeded.
            std::thread::park_timeout(Duration::from_millis(10));
        }
    });
    let summary = site.count(dealt.as_ref(), &shutdown, &on_commit);
    // The first partition was counted to its end, the second was not.
    let second = summary.records - ends[0].0;
    assert!(second < ends[1].0 / 2, "{second} of {} records of the second partition", ends[1].0);
    assert_eq!(site.counted(), summary.records);
}
