//! `count --publish`: public results by region and candidate into a compacted Kafka topic, each with the sequence it is of.

use anyhow::{Context, Result, bail};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use votestream_election::Election;
use votestream_election::results::Results;
use votestream_engine::Shutdown;
use votestream_engine::count::Committed;
use votestream_log::{LogUrl, Publisher};
use votestream_store::ReaderStore;

/// Shortest time between two looks at the store.
const EVERY: Duration = Duration::from_millis(250);
/// Longest time between two: acts of the desk come without a commit of ours.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long counting waits at its start for the brokers to say that the topic is there. A refusal comes sooner, and ends it.
const START_MAX: Duration = Duration::from_secs(3);
/// How long values may wait for the brokers before that is told.
const TELL_AFTER: Duration = Duration::from_secs(5);
/// How long the last values are waited for at the end.
const FLUSH_MAX: Duration = Duration::from_secs(10);
/// The same once the command is told to stop.
const STOP_MAX: Duration = Duration::from_secs(2);
/// How often it is looked meanwhile whether it is.
const LOOK_FOR_STOP_EVERY: Duration = Duration::from_millis(100);
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
    /// Opens the topic and begins. Brokers that do not answer are told of and waited for beside counting; what they refuse is an error.
    pub fn start(url: &str, store: ReaderStore, election: Election, shutdown: &Shutdown) -> Result<Self> {
        let LogUrl::Kafka(url) = url.parse()? else {
            bail!("--publish writes to a Kafka topic, as in --publish kafka://localhost:9092/results");
        };
        let mut publisher = Publisher::open(&url)?;
        let mut delay = Delay::default();
        match publisher.await_topic(START_MAX, || shutdown.is_raised()) {
            Ok(()) => {}
            // Nobody wants to know any more.
            Err(_) if shutdown.is_raised() => {}
            Err(error) if error.is_transient() => delay.tell(&error.to_string()),
            Err(error) => return Err(error).context("cannot publish results"),
        }
        let shared = Arc::<Shared>::default();
        let told = Arc::clone(&shared);
        let (published, shutdown) = (BTreeMap::new(), shutdown.clone());
        let work = move || {
            Work { store, election, publisher, published, sequence: None, delay, shutdown }.run(&told);
        };
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
    delay: Delay,
    shutdown: Shutdown,
}

/// For how long values have waited for the brokers, told once when it is long, and once when it is over.
#[derive(Default)]
struct Delay {
    since: Option<Instant>,
    told: bool,
}

impl Delay {
    fn look(&mut self, publisher: &Publisher) {
        if publisher.waiting() == 0 {
            self.since = None;
            // Without a value on its way nothing shows that the brokers are back but the absence of trouble.
            if self.told && publisher.trouble().is_none() {
                self.told = false;
                tracing::info!("results are published again: {} has the newest", publisher.url().place());
            }
        } else if self.since.get_or_insert_with(Instant::now).elapsed() >= TELL_AFTER && !self.told {
            self.tell(&trouble(publisher));
        }
    }

    fn tell(&mut self, why: &str) {
        self.told = true;
        tracing::warn!(
            "results are not published now: {why}; counting goes on without, and the newest are published once the brokers answer"
        );
    }
}

/// What keeps values from the brokers.
fn trouble(publisher: &Publisher) -> String {
    let silent = || {
        let place = publisher.url().place();
        format!("the brokers of {place} do not answer; check that they run and can be reached from here")
    };
    publisher.trouble().unwrap_or_else(silent)
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
            self.publisher.go_on();
            self.delay.look(&self.publisher);
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
        let (began, mut stopping) = (Instant::now(), None);
        let mut arrived = self.flush(began, &mut stopping);
        while arrived && began.elapsed() < FLUSH_MAX && self.behind() && self.publish() {
            arrived = self.flush(began, &mut stopping);
        }
        if !arrived {
            let why = trouble(&self.publisher);
            tracing::warn!(
                "not all results could be published: {why}; all is counted, and the next run with --publish publishes them anew"
            );
        }
    }

    /// Waits until the brokers have all, for [`FLUSH_MAX`] since `began`, or for [`STOP_MAX`] since it was seen that the command is to stop.
    fn flush(&mut self, began: Instant, stopping: &mut Option<Instant>) -> bool {
        loop {
            if self.publisher.flush(LOOK_FOR_STOP_EVERY) {
                return true;
            }
            if self.shutdown.is_raised() {
                stopping.get_or_insert_with(Instant::now);
            }
            if began.elapsed() >= FLUSH_MAX || stopping.is_some_and(|since| since.elapsed() >= STOP_MAX) {
                return false;
            }
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
