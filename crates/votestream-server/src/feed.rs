//! The newest snapshot of each election, read and encoded once, and shared by all who ask or watch.
//!
//! One thread owns a read-only store. While somebody watches it looks for commits often, else only when asked. A snapshot is made
//! when somebody can take one, and no oftener than [`SNAPSHOT_INTERVAL`], however many watch. The thread never waits for a client.

use crate::limits::{FRESH, POLL_IDLE, POLL_WATCHED, SNAPSHOT_INTERVAL};
use crate::problem::Problem;
use crate::view::View;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};
use tracing::{info, warn};
use votestream_store::{ReaderStore, StoreError, StoreUrl};

/// The way to the newest snapshots. Dropped, the thread ends.
pub(crate) struct Feeds {
    requests: mpsc::Sender<Request>,
    shared: Arc<Shared>,
    commits: watch::Receiver<u64>,
}

/// What the thread and those who ask it share.
#[derive(Default)]
struct Shared {
    /// The newest snapshot of each election and when it was made.
    newest: Mutex<HashMap<String, (Arc<View>, Instant)>>,
    watchers: AtomicUsize,
}

/// Somebody who watches; dropped, no more.
pub(crate) struct Watching {
    shared: Arc<Shared>,
    /// Changes with every commit that was noticed, of any election.
    pub(crate) commits: watch::Receiver<u64>,
}

type Reply = oneshot::Sender<Result<Arc<View>, Problem>>;

enum Request {
    /// Answer with a snapshot that holds all that was committed [`FRESH`] before this was asked.
    Newest { election: Option<String>, answer: Reply },
    /// The same for a watcher, who may be made to wait a little so that others are served with the same snapshot.
    Next { election: String, answer: Reply },
    /// Something was committed.
    Changed,
    /// Somebody begins to watch: look oftener from now on.
    Watched,
}

impl Feeds {
    /// Opens the store and starts the thread. `default_election`: shown where none is named.
    pub(crate) fn open(store: StoreUrl, default_election: Option<String>) -> Result<Self, StoreError> {
        let reader = ReaderStore::open(&store)?;
        let (requests, received) = mpsc::channel();
        let (noticed, commits) = watch::channel(0);
        let shared = Arc::<Shared>::default();
        let reading = Reading {
            url: store,
            reader: Some(reader),
            default_election,
            shared: Arc::clone(&shared),
            made: HashMap::new(),
            waiting: Vec::new(),
            noticed,
            looked: None,
            failing: false,
        };
        // A thread that cannot be made is found by the first request, which then has no answer.
        let spawned = thread::Builder::new().name("results".to_owned()).spawn(move || reading.run(&received));
        if let Err(error) = spawned {
            warn!(error = &error as &dyn std::error::Error, "cannot start the thread that reads results");
        }
        Ok(Self { requests, shared, commits })
    }

    /// The newest snapshot of an election, or of the one there is.
    pub(crate) async fn newest(&self, election: Option<&str>) -> Result<Arc<View>, Problem> {
        let election = election.map(str::to_owned);
        self.ask(|answer| Request::Newest { election, answer }).await
    }

    /// A snapshot for a watcher, at most [`SNAPSHOT_INTERVAL`] old, newer than `shown` if there is a newer one.
    pub(crate) async fn next(&self, shown: &View) -> Result<Arc<View>, Problem> {
        let recent = lock(&self.shared).get(shown.election_id()).cloned();
        if let Some((view, made)) = recent
            && made.elapsed() < SNAPSHOT_INTERVAL
            && !view.is_of(&shown.snapshot)
        {
            return Ok(view);
        }
        let election = shown.election_id().to_owned();
        self.ask(|answer| Request::Next { election, answer }).await
    }

    async fn ask(&self, request: impl FnOnce(Reply) -> Request) -> Result<Arc<View>, Problem> {
        let (answer, answered) = oneshot::channel();
        let gone = || Problem::unavailable("store", "the server is stopping");
        self.requests.send(request(answer)).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// Begins to watch.
    pub(crate) fn watch(&self) -> Watching {
        self.shared.watchers.fetch_add(1, Ordering::Relaxed);
        let _ = self.requests.send(Request::Watched);
        Watching { shared: Arc::clone(&self.shared), commits: self.commits.clone() }
    }

    /// Says that something was committed.
    pub(crate) fn changed(&self) {
        let _ = self.requests.send(Request::Changed);
    }

    /// How many watch.
    pub(crate) fn watchers(&self) -> usize {
        self.shared.watchers.load(Ordering::Relaxed)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.shared.watchers.fetch_sub(1, Ordering::Relaxed);
    }
}

fn lock(shared: &Shared) -> std::sync::MutexGuard<'_, HashMap<String, (Arc<View>, Instant)>> {
    // Entries are replaced whole, so a panic elsewhere does not spoil them.
    shared.newest.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread's state.
struct Reading {
    url: StoreUrl,
    /// `None` after a failure: opened again at the next need.
    reader: Option<ReaderStore>,
    default_election: Option<String>,
    shared: Arc<Shared>,
    made: HashMap<String, Made>,
    /// Watchers who wait for a snapshot that is not due yet.
    waiting: Vec<(String, Reply)>,
    noticed: watch::Sender<u64>,
    /// When the store was last asked whether it changed.
    looked: Option<Instant>,
    failing: bool,
}

/// An election's snapshot, when it was made, and whether something was committed since.
struct Made {
    view: Arc<View>,
    at: Instant,
    stale: bool,
}

impl Reading {
    fn run(mut self, requests: &mpsc::Receiver<Request>) {
        let mut next_look = Duration::ZERO;
        loop {
            match requests.recv_timeout(next_look) {
                Ok(Request::Newest { election, answer }) => {
                    let _ = answer.send(self.newest(election.as_deref()));
                }
                Ok(Request::Next { election, answer }) => self.waiting.push((election, answer)),
                Ok(Request::Changed) => self.look(),
                Ok(Request::Watched) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            next_look = self.serve_watchers();
        }
    }

    /// Answers the watchers whose snapshots are due; says when to look again.
    fn serve_watchers(&mut self) -> Duration {
        if self.shared.watchers.load(Ordering::Relaxed) == 0 && self.waiting.is_empty() {
            return POLL_IDLE;
        }
        let poll = if self.failing { POLL_IDLE } else { POLL_WATCHED };
        if self.looked.is_none_or(|looked| looked.elapsed() >= poll) {
            self.look();
        }
        let mut wait = poll;
        for (id, answer) in std::mem::take(&mut self.waiting) {
            match self.made.get(&id) {
                Some(made) if !made.stale => {
                    let _ = answer.send(Ok(Arc::clone(&made.view)));
                }
                Some(made) if made.at.elapsed() < SNAPSHOT_INTERVAL => {
                    wait = wait.min(SNAPSHOT_INTERVAL.saturating_sub(made.at.elapsed()));
                    self.waiting.push((id, answer));
                }
                _ => {
                    let _ = answer.send(self.make(&id));
                }
            }
        }
        wait
    }

    /// Asks the store whether anything was committed; if so, every snapshot is stale. A store that was opened anew says yes.
    fn look(&mut self) {
        self.looked = Some(Instant::now());
        match self.with_reader(ReaderStore::changed) {
            Ok(false) => {}
            Ok(true) => {
                self.made.values_mut().for_each(|made| made.stale = true);
                self.noticed.send_modify(|commits| *commits += 1);
            }
            // Nothing is given out as new that could not be checked; watchers are woken once the store can be read again.
            Err(_) => self.made.values_mut().for_each(|made| made.stale = true),
        }
    }

    fn newest(&mut self, election: Option<&str>) -> Result<Arc<View>, Problem> {
        if self.looked.is_none_or(|looked| looked.elapsed() >= FRESH) {
            self.look();
        }
        let id = self.resolve(election)?;
        match self.made.get(&id) {
            Some(made) if !made.stale => Ok(Arc::clone(&made.view)),
            _ => self.make(&id),
        }
    }

    /// Which election is meant.
    fn resolve(&mut self, asked: Option<&str>) -> Result<String, Problem> {
        if let Some(id) = asked.or(self.default_election.as_deref()) {
            return Ok(id.to_owned());
        }
        let heads = self.with_reader(ReaderStore::elections).map_err(|error| store_problem(&error))?;
        match &heads[..] {
            [one] => Ok(one.id.clone()),
            [] => Err(Problem::unavailable("no-election", "nothing has been counted into the store yet")),
            several => {
                let ids: Vec<&str> = several.iter().map(|head| head.id.as_str()).collect();
                Err(Problem::several_elections(&ids))
            }
        }
    }

    /// Reads and encodes an election's snapshot and shows it to its watchers.
    fn make(&mut self, id: &str) -> Result<Arc<View>, Problem> {
        let at = Instant::now();
        // Before the snapshot is read, so that what it holds is not taken for a change afterwards.
        self.look();
        let known = self.made.get(id).map(|made| Arc::clone(&made.view));
        let read = self.with_reader(|reader| {
            // Read first: it also says which elections there are when this one is not among them.
            let election = known.is_none().then(|| reader.election(Some(id))).transpose()?;
            let snapshot = reader.snapshot(id)?;
            // The definition is pinned as long as the store is the same one.
            let election = match (known, election) {
                (Some(view), _) if view.snapshot.store_uuid == snapshot.store_uuid => {
                    Arc::clone(&view.election)
                }
                (_, Some(election)) => Arc::new(election),
                (_, None) => Arc::new(reader.election(Some(id))?),
            };
            Ok((election, snapshot))
        });
        let (election, snapshot) = read.map_err(|error| store_problem(&error))?;
        if let Some(made) = self.made.get_mut(id)
            && made.view.is_of(&snapshot)
        {
            made.stale = false;
            made.at = at;
            return Ok(Arc::clone(&made.view));
        }
        let view = Arc::new(View::new(election, snapshot).map_err(|error| {
            warn!(error = &error as &dyn std::error::Error, "cannot encode results");
            Problem::internal()
        })?);
        self.made.insert(id.to_owned(), Made { view: Arc::clone(&view), at, stale: false });
        lock(&self.shared).insert(id.to_owned(), (Arc::clone(&view), at));
        Ok(view)
    }

    /// Reads from the store; after a failure it is opened anew, because another file may be there now.
    fn with_reader<T>(
        &mut self,
        read: impl FnOnce(&ReaderStore) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let result = match self.reader.as_ref() {
            Some(reader) => read(reader),
            None => ReaderStore::open(&self.url).and_then(|reader| {
                self.made.clear();
                let result = read(&reader);
                self.reader = Some(reader);
                result
            }),
        };
        match &result {
            Err(error) if !is_answer(error) => {
                self.reader = None;
                if !std::mem::replace(&mut self.failing, true) {
                    warn!(
                        error = error as &dyn std::error::Error,
                        "cannot read the results store; trying again at each request"
                    );
                }
            }
            _ => {
                if std::mem::replace(&mut self.failing, false) {
                    info!("the results store can be read again");
                }
            }
        }
        result
    }
}

/// The store works, and the answer is that there is no such thing.
fn is_answer(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::NoElection { .. }
            | StoreError::UnknownElection { .. }
            | StoreError::AmbiguousElection { .. }
    )
}

/// What a client is told of a store's error.
pub(crate) fn store_problem(error: &StoreError) -> Problem {
    match error {
        StoreError::UnknownElection { id, known, .. } => {
            let mut problem = Problem::not_found(format!("the store holds no election \"{id}\""));
            problem.parameter = Some("election".into());
            problem.allowed = Some(known.as_str().into());
            problem
        }
        StoreError::NoElection { .. } => {
            Problem::unavailable("no-election", "nothing has been counted into the store yet")
        }
        // Paths and the like are for the log of the server, not for its clients.
        _ => Problem::unavailable("store", "the results store cannot be read now; try again in a moment"),
    }
}
