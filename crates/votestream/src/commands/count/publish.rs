//! `count --publish`: public results by region and candidate into a compacted Kafka topic, each with the sequence it is of.

use anyhow::{Result, bail};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use votestream_election::Election;
use votestream_election::results::Results;
use votestream_engine::count::Committed;
use votestream_log::{LogUrl, Publisher};
use votestream_store::ReaderStore;

/// Shortest time between two looks at the store.
const EVERY: Duration = Duration::from_millis(250);
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
    /// The newest sequence committed, while this worker publishes.
    due: Option<u64>,
    /// No more will come.
    over: bool,
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
        let work = move || Work { store, election, publisher, published: BTreeMap::new() }.run(&told);
        let thread = std::thread::Builder::new().name("publish".to_owned()).spawn(work)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// What to call after each commit; never blocks for long.
    pub fn notifier(&self) -> impl Fn(&Committed) + Send + Sync + 'static {
        let shared = Arc::clone(&self.shared);
        move |committed| {
            if committed.leads {
                shared.state.lock().unwrap_or_else(PoisonError::into_inner).due = Some(committed.sequence);
                shared.wake.notify_one();
            }
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
}

impl Work {
    fn run(mut self, shared: &Shared) {
        loop {
            let (due, over) = {
                let state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
                let wait = shared.wake.wait_while(state, |state| state.due.is_none() && !state.over);
                let mut state = wait.unwrap_or_else(PoisonError::into_inner);
                (state.due.take(), state.over)
            };
            if due.is_some() {
                self.publish();
            }
            if over {
                break;
            }
            // The newest values of a key are all that counts: what is committed meanwhile is published together.
            std::thread::park_timeout(EVERY);
        }
        if !self.publisher.flush(FLUSH_MAX) {
            let why = self.publisher.trouble().unwrap_or_default();
            tracing::warn!("not all results could be published: {why}; the next run publishes them anew");
        }
    }

    /// Publishes what differs from what was published before.
    fn publish(&mut self) {
        let snapshot = match self.store.snapshot(&self.election.id) {
            Ok(snapshot) => snapshot,
            Err(error) => {
                tracing::warn!("results are not published now: {error}");
                return;
            }
        };
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
