//! `count --publish`: public results by region and candidate into a compacted Kafka topic, each with the sequence it is of.

use anyhow::{Result, bail};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use votestream_election::Election;
use votestream_election::results::Results;
use votestream_engine::count::Committed;
use votestream_log::{LogUrl, Publisher};
use votestream_store::ReaderStore;

/// Shortest time between two looks at the store.
const EVERY: Duration = Duration::from_millis(250);
/// Longest time between two: acts of the desk come without a commit of ours.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long the last values are waited for at the end.
const FLUSH_MAX: Duration = Duration::from_secs(10);
/// Stands for all regions in a key.
const ALL: &str = "*";

/// A thread that publishes what was committed, while this worker is the one that does it for all.
pub struct Publishing {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    role: Role,
    /// Something was committed.
    due: bool,
    /// No more will come.
    over: bool,
}

/// Whether this worker is the one that publishes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Role {
    /// Another one is.
    #[default]
    Aside,
    /// It became so: what it published before may have been replaced by another worker.
    Began,
    /// It is.
    Leads,
}

impl Publishing {
    /// Opens the topic and begins.
    pub fn start(url: &str, store: ReaderStore, election: Election) -> Result<Self> {
        let LogUrl::Kafka(url) = url.parse()? else {
            bail!("--publish writes to a Kafka topic, as in --publish kafka://localhost:9092/results");
        };
        let publisher = Publisher::open(&url)?;
        let shared = Arc::<Shared>::default();
        let told = Arc::clone(&shared);
        let published = BTreeMap::new();
        let work = move || Work { store, election, publisher, published, sequence: None }.run(&told);
        let thread = std::thread::Builder::new().name("publish".to_owned()).spawn(work)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// What to call after each commit; never blocks for long.
    pub fn notifier(&self) -> impl Fn(&Committed) + Send + Sync + 'static {
        let shared = Arc::clone(&self.shared);
        move |committed| {
            let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.role = match (committed.leads, state.role) {
                (false, _) => Role::Aside,
                (true, Role::Aside) => Role::Began,
                (true, role) => role,
            };
            state.due = true;
            shared.wake.notify_one();
        }
    }

    /// Publishes what is left, waiting for the brokers for a bounded time.
    pub fn finish(mut self) -> Result<()> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).over = true;
        self.shared.wake.notify_one();
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(_)) => bail!("the publishing thread ended unexpectedly; please report it"),
            _ => Ok(()),
        }
    }
}

struct Work {
    store: ReaderStore,
    election: Election,
    publisher: Publisher,
    /// The votes last published of each key; `None`: that they are withheld.
    published: BTreeMap<String, Option<u64>>,
    /// The store's sequence that they are of.
    sequence: Option<u64>,
}

impl Work {
    fn run(mut self, shared: &Shared) {
        loop {
            let state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
            let asleep = |state: &mut State| !state.over && (!state.due || state.role == Role::Aside);
            let (mut state, _) = shared
                .wake
                .wait_timeout_while(state, LOOK_EVERY, asleep)
                .unwrap_or_else(PoisonError::into_inner);
            let (role, over) = (state.role, state.over);
            state.due = false;
            if role == Role::Began {
                state.role = Role::Leads;
            }
            drop(state);
            if over {
                break;
            }
            if role == Role::Began {
                self.published.clear();
                self.sequence = None;
            }
            if role != Role::Aside && self.behind() {
                self.publish();
            }
            // The newest values of a key are all that counts: what is committed meanwhile is published together.
            std::thread::park_timeout(EVERY);
        }
        self.settle();
    }

    /// Whether the store holds more than was published.
    fn behind(&self) -> bool {
        // An error is told by who reads the snapshot.
        self.store.sequence(&self.election.id).map_or(true, |now| self.sequence != Some(now))
    }

    /// Publishes what is left, also where nothing was to be counted. Whether another worker publishes beside this one is not known: so it
    /// looks again once the brokers have what it published, and a value of ours never stands above a newer one of theirs.
    fn settle(&mut self) {
        let deadline = Instant::now() + FLUSH_MAX;
        let left = || deadline.saturating_duration_since(Instant::now());
        let mut arrived = self.publisher.flush(left());
        while arrived && !left().is_zero() && self.behind() && self.publish() {
            arrived = self.publisher.flush(left());
        }
        if !arrived {
            let why = self.publisher.trouble().unwrap_or_default();
            tracing::warn!("not all results could be published: {why}; the next run publishes them anew");
        }
    }

    /// Publishes what differs from what was published before; says whether the store could be read.
    fn publish(&mut self) -> bool {
        let snapshot = match self.store.snapshot(&self.election.id) {
            Ok(snapshot) => snapshot,
            Err(error) => {
                tracing::warn!("results are not published now: {error}");
                return false;
            }
        };
        self.sequence = Some(snapshot.sequence);
        let results = Results::of(&self.election, &snapshot);
        for candidate in &results.candidates {
            self.cell((ALL, &candidate.id), Some(candidate.votes), results.sequence);
        }
        let codes: Vec<String> = self.election.regions.iter().map(|region| region.code.clone()).collect();
        for code in &codes {
            let region = results.regions.iter().find(|region| region.code == *code);
            for candidate in &results.candidates {
                let votes = region.and_then(|region| region.votes.get(&candidate.id));
                self.cell((code, &candidate.id), votes, results.sequence);
            }
        }
        if let Some(trouble) = self.publisher.trouble() {
            tracing::debug!("results wait to be published: {trouble}");
        }
        true
    }

    fn cell(&mut self, (region, candidate): (&str, &str), votes: Option<u64>, sequence: u64) {
        let key = format!("{}/{region}/{candidate}", self.election.id);
        if self.published.get(&key) == Some(&votes) {
            return;
        }
        let value = json!({
            "election": self.election.id,
            "region": (region != ALL).then_some(region),
            "candidate": candidate,
            "votes": votes,
            "withheld": votes.is_none(),
            "sequence": sequence,
        });
        self.publisher.publish(key.as_bytes(), value.to_string().as_bytes());
        self.published.insert(key, votes);
    }
}
