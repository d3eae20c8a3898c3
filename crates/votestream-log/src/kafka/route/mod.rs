//! Routing: a transactional copy of a topic, `<topic>.by-voter`, in which all records of a voter share a partition.
//!
//! Each source partition is copied by one producer whose transactional id names it. A transaction holds the copies and the source
//! position after them, so that both are there or neither: whatever is killed, each source offset is copied once. The group
//! shares the partitions among the routers that run. What a voter's text is, is told by the caller; who counts the copy, by the engine.
//!
//! Why here and not in the engine: batches, transactions and committed positions are Kafka's, which stays in this crate.
//!
//! **Invariant:** a position is committed only in the transaction that holds the copies of all records before it.

mod copy;

mod lane;

mod worker;

mod producer;

mod recover;

pub use copy::{COPY_SUFFIX, copy_of, create_copy};

use super::group::Group;
use super::librdkafka;
use crate::assigned::Assigned;
use crate::batch::BatchEncoder;
use crate::error::LogError;
use crate::kafka_url::KafkaUrl;
use crate::reader::LogReader;
use crate::url::LogUrl;
use copy::Copy;
use lane::{Held, Lane, Phase, Site};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use votestream_election::{LogId, Offset, PartitionId};
use worker::{Begin, Event, EventKind};

/// How often the caller is told how far it is.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);
/// How often partitions that others route are looked after.
const OTHERS_EVERY: Duration = Duration::from_millis(500);
/// How long such a look may take.
const OTHERS_WAIT: Duration = Duration::from_secs(2);
/// How long the loop rests when nothing is to be done, unless something happens.
const REST: Duration = Duration::from_millis(20);
/// How long the last transactions may take when routing is stopped.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// What is routed, and how far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouteOptions {
    /// End when all that was stable at the start is routed, by whichever router; else go on until stopped.
    pub until_end: bool,
    /// Take a topic as it is whose first records are gone, or which is compacted.
    pub from_log_start: bool,
}

/// How far routing is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouteProgress {
    /// Records copied by this router, transaction committed.
    pub routed: u64,
    /// Partitions that this router has at the moment.
    pub partitions: usize,
    /// Offsets left before the end that is routed to, of this router's partitions; `None` without such an end.
    pub left: Option<u64>,
}

/// What this router did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteSummary {
    /// Records copied.
    pub routed: u64,
    /// Of these, records without a voter: they went by source position.
    pub voterless: u64,
    /// Of these, values over 65,536 bytes: a marker was written in their place.
    pub too_large: u64,
    /// Transactions committed.
    pub transactions: u64,
    /// Transactions given up and done again.
    pub aborted: u64,
    /// The source's last stable offsets at the start, which `until_end` routes to.
    pub source_ends: Vec<Offset>,
    /// Whether all before `source_ends` is routed.
    pub complete: bool,
}

impl RouteSummary {
    /// A transaction is in the copy.
    fn add(&mut self, held: Held) {
        self.routed += held.records;
        self.voterless += held.voterless;
        self.too_large += held.too_large;
        self.transactions += 1;
    }
}

struct Router<'a> {
    options: RouteOptions,
    source: LogReader,
    site: Arc<Site>,
    ends: Vec<Offset>,
    starts: Vec<Offset>,
    lanes: BTreeMap<PartitionId, Lane>,
    assignment: Assigned,
    /// Partitions whose committed position is at the end or beyond: nobody has to route them any more.
    finished: Vec<bool>,
    events: (Sender<Event>, Receiver<Event>),
    lane_count: u64,
    others_at: Instant,
    progress_at: Instant,
    summary: RouteSummary,
    voter_of: &'a mut dyn FnMut(&[u8]) -> Option<Vec<u8>>,
}

/// Copies the topic at `url` to `<topic>.by-voter` until it is done (`options.until_end`) or `stop` says so. `voter_of` tells
/// a value's canonical voter text. `progress` is called a few times a second. Several routers may run at once.
///
/// # Errors
/// What waiting does not mend: refused; the source was deleted, cut below what is routed, or lost records that are not routed yet; a copy
/// with another partition count. Brokers that are away are waited for.
pub fn route(
    url: &KafkaUrl,
    options: RouteOptions,
    voter_of: &mut dyn FnMut(&[u8]) -> Option<Vec<u8>>,
    stop: &dyn Fn() -> bool,
    progress: &mut dyn FnMut(&RouteProgress),
) -> Result<RouteSummary, LogError> {
    let source = LogReader::open_url(&LogUrl::Kafka(url.clone()))?;
    let copy = Copy::open(url, &source, options)?;
    BatchEncoder::for_url(url)?;
    let config = librdkafka::client_config(url)?;
    let group = Group::join_with(url, &group_id(source.log_id()), &[("isolation.level", "read_committed")])?;
    let (ends, starts) = (source.refresh_ends()?, source.start_offsets()?);
    let now = Instant::now();
    let mut router = Router {
        options,
        finished: starts.iter().zip(&ends).map(|(start, end)| start >= end).collect(),
        summary: RouteSummary { source_ends: ends.clone(), ..RouteSummary::default() },
        site: Arc::new(Site { url: url.clone(), config, source_id: source.log_id(), copy, group }),
        source,
        ends,
        starts,
        lanes: BTreeMap::new(),
        assignment: Assigned::default(),
        events: channel(),
        lane_count: 0,
        others_at: now,
        progress_at: now,
        voter_of,
    };
    while !stop() {
        router.follow_assignment()?;
        router.take_events()?;
        let busy = router.route_some()?;
        router.commit_what_is_due();
        router.tell(progress);
        if router.is_complete() {
            router.summary.complete = true;
            break;
        }
        if !busy {
            router.rest()?;
        }
    }
    router.finish()?;
    progress(&router.progress());
    Ok(router.summary)
}

/// The group that shares a topic's partitions among its routers, and holds how far each is routed: by the topic's id, since the copy
/// depends on nothing else.
fn group_id(source: LogId) -> String {
    format!("votestream-route-{source}")
}

impl Router<'_> {
    fn follow_assignment(&mut self) -> Result<(), LogError> {
        let now = self.site.group.wait_change(self.assignment.generation, Duration::ZERO)?;
        if now.generation != self.assignment.generation {
            // Dropped lanes abort what is open, on threads of their own.
            self.lanes.retain(|partition, _| now.partitions.binary_search(partition).is_ok());
            self.assignment = now;
        }
        for partition in self.assignment.partitions.clone() {
            let open = self.lanes.get(&partition).is_none_or(|lane| lane.may_open_again(Instant::now()));
            if open && (partition.0 as usize) < self.starts.len() {
                let past = self.lanes.remove(&partition);
                self.lane_count += 1;
                let lanes = self.assignment.partitions.len();
                let lane = Lane::open(&self.site, partition, self.lane_count, lanes, past, &self.events.0)?;
                self.lanes.insert(partition, lane);
            }
        }
        Ok(())
    }

    fn take_events(&mut self) -> Result<(), LogError> {
        while let Ok(event) = self.events.1.try_recv() {
            self.take_event(event)?;
        }
        Ok(())
    }

    fn take_event(&mut self, event: Event) -> Result<(), LogError> {
        // Of a lane that is gone: whoever has the partition now learns from the brokers how that ended.
        let Some(lane) = self.lanes.get_mut(&event.partition).filter(|lane| lane.id == event.lane) else {
            return Ok(());
        };
        match event.kind {
            EventKind::Opened(begin) => {
                let index = event.partition.0 as usize;
                let (from, committed) = match begin {
                    Begin::Committed(from) => (from, true),
                    Begin::Found(from) => (from, false),
                    Begin::Start => (self.starts[index], false),
                };
                let reader = self.source.partition(event.partition, from)?;
                if let Some(held) = lane.start(reader, from, committed) {
                    self.summary.add(held);
                }
                self.finished[index] |= committed && from >= self.ends[index];
            }
            EventKind::Committed => {
                let held = lane.committed();
                self.summary.add(held);
                let index = event.partition.0 as usize;
                self.finished[index] |= lane.position() >= self.ends[index];
            }
            EventKind::Failed(error) if lane.is_hopeless(&error) => return Err(error),
            EventKind::Failed(error) => {
                self.summary.aborted += 1;
                lane.give_up(&error);
            }
            EventKind::Denied(error) => return Err(error),
        }
        Ok(())
    }

    /// Copies what is there to be copied, a slice of each partition. Says whether there was anything.
    fn route_some(&mut self) -> Result<bool, LogError> {
        let mut busy = false;
        for (partition, lane) in &mut self.lanes {
            let bound = self.options.until_end.then(|| self.ends[partition.0 as usize]);
            busy |= lane.route_slice(&self.site, bound, self.voter_of)?;
        }
        Ok(busy)
    }

    fn commit_what_is_due(&mut self) {
        let now = Instant::now();
        for (partition, lane) in &mut self.lanes {
            let at_end = self.options.until_end && lane.position() >= self.ends[partition.0 as usize];
            if lane.is_due(now, at_end) {
                lane.commit();
            }
        }
    }

    fn is_complete(&mut self) -> bool {
        if !self.options.until_end {
            return false;
        }
        let now = Instant::now();
        if now >= self.others_at {
            self.others_at = now + OTHERS_EVERY;
            for (index, finished) in self.finished.iter_mut().enumerate() {
                let partition = PartitionId(index as u32);
                if !*finished && !self.lanes.contains_key(&partition) {
                    let told = self.site.committed(partition, OTHERS_WAIT);
                    *finished = told.is_ok_and(|told| told.is_some_and(|told| told >= self.ends[index]));
                }
            }
        }
        self.finished.iter().all(|finished| *finished)
    }

    /// Nothing to do: waits until records come, or a transaction ends.
    fn rest(&mut self) -> Result<(), LogError> {
        if self.lanes.values().any(|lane| lane.phase() != Phase::Reading) {
            if let Ok(event) = self.events.1.recv_timeout(REST) {
                self.take_event(event)?;
            }
            return Ok(());
        }
        let past = |index| self.lanes.get(&PartitionId(index)).map_or(Offset(u64::MAX), Lane::position);
        let past: Vec<_> = (0..self.source.partitions()).map(past).collect();
        self.source.wait_past(&past, REST)?;
        Ok(())
    }

    fn progress(&self) -> RouteProgress {
        let left = |(partition, lane): (&PartitionId, &Lane)| {
            self.ends[partition.0 as usize].0.saturating_sub(lane.position().0)
        };
        RouteProgress {
            routed: self.summary.routed,
            partitions: self.lanes.len(),
            left: self.options.until_end.then(|| self.lanes.iter().map(left).sum()),
        }
    }

    fn tell(&mut self, progress: &mut dyn FnMut(&RouteProgress)) {
        let now = Instant::now();
        if now >= self.progress_at {
            self.progress_at = now + PROGRESS_EVERY;
            progress(&self.progress());
        }
    }

    /// Commits what is open, within bounds. What does not make it is aborted, and routed by the next one.
    fn finish(&mut self) -> Result<(), LogError> {
        for lane in self.lanes.values_mut() {
            lane.commit();
        }
        let deadline = Instant::now() + STOP_WAIT;
        while self.lanes.values().any(|lane| lane.phase() == Phase::Committing) {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(event) = self.events.1.recv_timeout(left) else { break };
            self.take_event(event)?;
        }
        let lanes = std::mem::take(&mut self.lanes);
        lanes.into_values().for_each(Lane::close);
        Ok(())
    }
}
