//! Membership in a consumer group: which partitions of the topic this process is to count, kept by librdkafka on a thread of its own.
//!
//! Nothing is fetched here (all that is assigned is paused at once) and nothing is ever committed: the store says how far a partition is
//! counted. Taking a partition over, and fencing whoever had it, is left to the engine and the store.
//!
//! **Guaranteed:** a revoked partition leaves [`Group::assignment`] before the coordinator is told that it is given up, so no two
//! members that the coordinator hears from ever show the same partition at one time. A member that it does not hear from (stopped, cut
//! off) may still show what others were given since, until it notices: at the latest when it has run again for one poll, or when
//! a session timeout passed without an answer. Against those moments stands the store's fence, not this module.

use super::client::Client;
use super::librdkafka::{self, sentence};
use crate::assigned::Assigned;
use crate::error::LogError;
use crate::kafka_url::KafkaUrl;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use votestream_election::{Offset, PartitionId};

/// How often a member says that it lives; never more than a third of the session timeout.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// How long librdkafka may go unpolled, and so for how long a rebalance waits for a member, and a member for a rebalance: whose answer
/// went astray waits no longer than this. The thread here does nothing but poll, so that only a stopped process comes near it.
const MAX_POLL_INTERVAL_MIN: Duration = Duration::from_secs(10);
/// How long one poll waits: the latency of leaving.
const POLL: Duration = Duration::from_millis(100);
/// How long leaving waits for the coordinator; then the thread is left to end by itself, and the session timeout does the rest.
const LEAVE_WAIT: Duration = Duration::from_secs(5);
/// How long a topic may be unknown before that is taken as an answer: a broker that just started does not know all of them.
const MISSING: Duration = Duration::from_secs(10);
/// How long [`Group::members`] waits.
const MEMBERS_WAIT: Duration = Duration::from_secs(3);

/// A member of a consumer group, subscribed to one topic. Dropping it leaves the group.
pub struct Group {
    shared: Arc<Shared>,
    consumer: Weak<BaseConsumer<Membership>>,
    thread: Option<JoinHandle<()>>,
}

/// What librdkafka's callbacks write and the engine reads.
struct Shared {
    url: KafkaUrl,
    group_id: String,
    session: Duration,
    leaving: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    generation: u64,
    partitions: BTreeSet<PartitionId>,
    /// Set while a stop of this process is being got over: see [`State::heard`].
    stall: Option<Stall>,
    /// When the thread last came by. `None`: it has not started, or is done.
    polled: Option<Instant>,
    /// Since when the topic is unknown.
    missing: Option<Instant>,
    fatal: Option<LogError>,
    /// What last went wrong and may pass by itself.
    trouble: Option<String>,
    done: bool,
}

/// What a transaction of the group has committed for a partition.
pub(crate) struct Committed {
    pub(crate) offset: Offset,
    /// What was sent along.
    pub(crate) metadata: String,
}

struct Stall {
    since: Instant,
    held: BTreeSet<PartitionId>,
}

/// The consumer's context: librdkafka calls it on the polling thread.
pub(crate) struct Membership(Arc<Shared>);

impl Group {
    /// Joins the group `group_id`, subscribed to the URL's topic. Answers at once; what is assigned shows in [`Group::wait_change`].
    ///
    /// # Errors
    /// Only what is wrong with the options (files that cannot be read, a password that is missing). Brokers that are away are waited for.
    pub fn join(url: &KafkaUrl, group_id: &str) -> Result<Self, LogError> {
        Self::join_with(url, group_id, &[])
    }

    /// [`Group::join`] with further librdkafka properties.
    pub(crate) fn join_with(url: &KafkaUrl, group_id: &str, more: &[(&str, &str)]) -> Result<Self, LogError> {
        let session = Duration::from_millis(url.options.session_timeout_ms.into());
        let heartbeat = HEARTBEAT.min(session / 3).max(Duration::from_millis(1));
        let mut config = librdkafka::client_config(url)?;
        config
            .set("group.id", group_id)
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", session.as_millis().to_string())
            .set("heartbeat.interval.ms", heartbeat.as_millis().to_string())
            .set("max.poll.interval.ms", MAX_POLL_INTERVAL_MIN.max(2 * session).as_millis().to_string())
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            // Nothing is to be fetched. Were it not paused for a moment, one small record would come.
            .set("queued.min.messages", "1")
            .set("queued.max.messages.kbytes", "1")
            .set("fetch.message.max.bytes", "1");
        for (name, value) in more {
            config.set(*name, *value);
        }
        let shared = Arc::new(Shared {
            url: url.clone(),
            group_id: group_id.to_owned(),
            session,
            leaving: AtomicBool::new(false),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let consumer: BaseConsumer<Membership> = config
            .create_with_context(Membership(Arc::clone(&shared)))
            .map_err(|error| librdkafka::failed(url, "join a group", &error))?;
        consumer
            .subscribe(&[url.topic.as_str()])
            .map_err(|error| librdkafka::failed(url, "subscribe to the topic", &error))?;
        let consumer = Arc::new(consumer);
        let weak = Arc::downgrade(&consumer);
        let polled = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("kafka-group".to_owned())
            .spawn(move || keep(consumer, &polled))
            .map_err(|error| librdkafka::no_thread(url, error))?;
        Ok(Self { shared, consumer: weak, thread: Some(thread) })
    }

    /// What is assigned now. Lost and revoked partitions are gone from it at once.
    pub fn assignment(&self) -> Assigned {
        let mut state = self.shared.lock();
        state.notice_stall(Instant::now(), self.shared.session);
        state.assignment()
    }

    /// Waits for an assignment newer than the generation `since`, for at most `timeout`, and answers the newest there is.
    ///
    /// # Errors
    /// What waiting does not mend: refused by the brokers, no such topic, members that assign partitions in another manner.
    pub fn wait_change(&self, since: u64, timeout: Duration) -> Result<Assigned, LogError> {
        let deadline = Instant::now() + timeout;
        let mut state = self.shared.lock();
        loop {
            let now = Instant::now();
            state.notice_stall(now, self.shared.session);
            if let Some(fatal) = &state.fatal {
                return Err(fatal.clone());
            }
            if state.missing.take_if(|since| now.duration_since(*since) >= MISSING).is_some() {
                // librdkafka says it once; a broker that was just starting knows the topic by now.
                drop(state);
                if let Err(gone @ LogError::NoSuchTopic { .. }) = Client::connect(&self.shared.url) {
                    self.shared.lock().missing.get_or_insert(now);
                    return Err(gone);
                }
                state = self.shared.lock();
                continue;
            }
            let left = deadline.saturating_duration_since(now);
            if state.generation > since || left.is_zero() {
                return Ok(state.assignment());
            }
            let waited = self.shared.changed.wait_timeout(state, left.min(self.shared.session));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// How many members the group has now, as far as the brokers tell within three seconds: for health, not for decisions.
    pub fn members(&self) -> Option<usize> {
        let consumer = self.consumer.upgrade()?;
        let groups = consumer.fetch_group_list(Some(&self.shared.group_id), MEMBERS_WAIT).ok()?;
        let group = groups.groups().iter().find(|group| group.name() == self.shared.group_id)?;
        Some(group.members().len())
    }

    /// What keeps the member from hearing of its group at the moment, where that may pass by itself.
    pub fn trouble(&self) -> Option<String> {
        self.shared.lock().trouble.clone()
    }

    /// Leaves the group, so that the others take over without waiting for the session timeout. Waits at most five seconds for the
    /// coordinator. What was assigned is gone from [`Group::assignment`] before.
    pub fn leave(mut self) {
        self.leave_now();
    }

    /// What the group has committed for a partition, decided transactions only where the properties say so; `None`: nothing.
    pub(crate) fn committed(
        &self,
        partition: PartitionId,
        timeout: Duration,
    ) -> Result<Option<Committed>, KafkaError> {
        let Some(consumer) = self.consumer.upgrade() else { return Err(KafkaError::Canceled) };
        let mut asked = TopicPartitionList::new();
        asked.add_partition(&self.shared.url.topic, librdkafka::partition(partition));
        let told = consumer.committed_offsets(asked, timeout)?;
        let Some(element) = told.elements().into_iter().next() else { return Ok(None) };
        element.error()?;
        match element.offset() {
            rdkafka::Offset::Offset(offset) => {
                let offset = Offset(u64::try_from(offset).unwrap_or(0));
                Ok(Some(Committed { offset, metadata: element.metadata().to_owned() }))
            }
            _ => Ok(None),
        }
    }

    fn leave_now(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.shared.leaving.store(true, Ordering::Release);
        self.shared.change(|state| state.replace(BTreeSet::new()));
        let state = self.shared.lock();
        let waited = self.shared.changed.wait_timeout_while(state, LEAVE_WAIT, |state| !state.done);
        let done = waited.unwrap_or_else(PoisonError::into_inner).0.done;
        if done {
            // A panic in it was reported where it happened; there is nothing to add here.
            let _ = thread.join();
        } else {
            tracing::warn!(
                group = self.shared.group_id,
                "the group's coordinator did not answer; left without it"
            );
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.leave_now();
    }
}

/// Polls until the group is left. The consumer is closed here, which tells the coordinator.
fn keep(consumer: Arc<BaseConsumer<Membership>>, shared: &Shared) {
    while !shared.leaving.load(Ordering::Acquire) {
        let polled = consumer.poll(POLL);
        if let Some(Err(error)) = polled {
            shared.change(|state| state.fail(&shared.url, &error));
        }
        shared.change(|state| state.heard(Instant::now(), shared.session));
    }
    drop(consumer);
    shared.change(|state| {
        state.done = true;
        state.polled = None;
        true
    });
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes who waits, if it says that there is news.
    fn change(&self, change: impl FnOnce(&mut State) -> bool) {
        if change(&mut self.lock()) {
            self.changed.notify_all();
        }
    }

    fn partitions(&self, list: &TopicPartitionList) -> BTreeSet<PartitionId> {
        let ours = list.elements_for_topic(&self.url.topic);
        let id = |partition: i32| u32::try_from(partition).ok().map(PartitionId);
        ours.iter().filter_map(|element| id(element.partition())).collect()
    }
}

impl State {
    fn assignment(&self) -> Assigned {
        Assigned { generation: self.generation, partitions: self.partitions.iter().copied().collect() }
    }

    fn replace(&mut self, partitions: BTreeSet<PartitionId>) -> bool {
        if self.partitions == partitions {
            return false;
        }
        self.partitions = partitions;
        self.generation += 1;
        true
    }

    /// Assigned on top. An assignment tells as well that the rest is still held, whatever a stop made us doubt.
    fn assigned(&mut self, mut partitions: BTreeSet<PartitionId>) -> bool {
        let held = self.stall.take().map_or_else(|| self.partitions.clone(), |stall| stall.held);
        self.trouble = None;
        if !partitions.is_empty() {
            self.missing = None;
        }
        partitions.extend(held);
        // An assignment of nothing is news too: the group has decided.
        if !self.replace(partitions) {
            self.generation += 1;
        }
        true
    }

    fn revoked(&mut self, partitions: &BTreeSet<PartitionId>, lost: bool) -> bool {
        if lost {
            self.stall = None;
        } else if let Some(stall) = &mut self.stall {
            stall.held = &stall.held - partitions;
        }
        self.replace(&self.partitions - partitions)
    }

    /// Whether this process stood still for longer than a session, so that what it holds may be another's by now: shown as lost, before
    /// librdkafka finds out.
    fn notice_stall(&mut self, now: Instant, session: Duration) -> bool {
        let still = self.polled.is_some_and(|polled| now.duration_since(polled) > session);
        if !still || self.partitions.is_empty() {
            return false;
        }
        self.stall = Some(Stall { since: now, held: std::mem::take(&mut self.partitions) });
        self.generation += 1;
        true
    }

    /// The thread came by. Where a stop was noticed, but the coordinator (stopped as well, it seems) took nothing away for another
    /// session, what was held is held.
    fn heard(&mut self, now: Instant, session: Duration) -> bool {
        let stalled = self.notice_stall(now, session);
        self.polled = Some(now);
        let over = self.stall.take_if(|stall| now.duration_since(stall.since) > session);
        stalled | over.is_some_and(|stall| self.replace(stall.held))
    }

    fn fail(&mut self, url: &KafkaUrl, error: &KafkaError) -> bool {
        let code = error.rdkafka_error_code();
        match code {
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                self.missing.get_or_insert_with(Instant::now);
                true
            }
            _ if librdkafka::is_final(error) => {
                self.fatal.get_or_insert_with(|| librdkafka::failed(url, "join a group", error));
                self.replace(BTreeSet::new());
                true
            }
            _ => {
                self.trouble = Some(sentence(error));
                false
            }
        }
    }
}

impl ClientContext for Membership {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        librdkafka::log("group", level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        librdkafka::Quiet("group").error(error, reason);
    }
}

impl ConsumerContext for Membership {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, event: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let shared = &self.0;
        let partitions = shared.partitions(list);
        let done = match event {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                // With an offset given, nobody asks for a committed one. It is never read from: the next line pauses it.
                let assigned = list
                    .set_all_offsets(rdkafka::Offset::Offset(0))
                    .and_then(|()| consumer.incremental_assign(list))
                    .and_then(|()| consumer.pause(list));
                tracing::debug!(group = shared.group_id, ?partitions, "partitions assigned");
                shared.change(|state| state.assigned(partitions));
                assigned
            }
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => {
                let lost = consumer.assignment_lost();
                tracing::debug!(group = shared.group_id, ?partitions, lost, "partitions revoked");
                // Shown first, then given up.
                shared.change(|state| state.revoked(&partitions, lost));
                consumer.incremental_unassign(list)
            }
            _ => {
                shared.change(|state| state.replace(BTreeSet::new()));
                consumer.unassign()
            }
        };
        if let Err(error) = done {
            tracing::warn!(group = shared.group_id, what = %sentence(&error), "a change of assignment failed");
        }
    }
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let assignment = self.assignment();
        f.debug_struct("Group")
            .field("group_id", &self.shared.group_id)
            .field("assignment", &assignment)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: Duration = Duration::from_secs(10);

    fn set(ids: &[u32]) -> BTreeSet<PartitionId> {
        ids.iter().copied().map(PartitionId).collect()
    }

    fn member(ids: &[u32], polled: Instant) -> State {
        let mut state = State { polled: Some(polled), ..State::default() };
        state.assigned(set(ids));
        state
    }

    #[test]
    fn a_member_that_stood_still_for_a_session_shows_nothing_at_once() {
        let start = Instant::now();
        let mut state = member(&[0, 1], start);
        assert!(!state.notice_stall(start + SESSION, SESSION), "not yet");
        let before = state.assignment();
        assert!(state.notice_stall(start + SESSION * 2, SESSION), "asked before its thread has run again");
        assert_eq!(
            state.assignment(),
            Assigned { generation: before.generation + 1, partitions: Vec::new() }
        );
        // librdkafka finds out as well, and gets other partitions later.
        state.heard(start + SESSION * 2, SESSION);
        assert!(!state.revoked(&set(&[0, 1]), true));
        state.assigned(set(&[1]));
        assert_eq!(state.assignment().partitions, [PartitionId(1)]);
    }

    #[test]
    fn what_the_coordinator_never_took_away_comes_back_after_another_session() {
        let start = Instant::now();
        let mut state = member(&[0, 1, 2], start);
        let woken = start + SESSION * 3;
        assert!(state.heard(woken, SESSION));
        assert!(state.assignment().partitions.is_empty());
        assert!(!state.revoked(&set(&[2]), false), "an ordinary revocation in between");
        assert!(!state.heard(woken + SESSION, SESSION));
        assert!(state.heard(woken + SESSION + POLL, SESSION));
        assert_eq!(state.assignment().partitions, [PartitionId(0), PartitionId(1)]);
    }

    #[test]
    fn an_assignment_tells_that_the_rest_is_held() {
        let start = Instant::now();
        let mut state = member(&[0], start);
        state.heard(start + SESSION * 2, SESSION);
        state.assigned(set(&[3]));
        assert_eq!(state.assignment().partitions, [PartitionId(0), PartitionId(3)]);
    }

    #[test]
    fn every_change_has_a_generation_and_nothing_else_has() {
        let mut state = member(&[0, 1], Instant::now());
        let first = state.generation;
        assert!(!state.revoked(&set(&[7]), false));
        assert_eq!(state.generation, first);
        assert!(state.revoked(&set(&[1]), false));
        assert!(state.assigned(set(&[])), "that nothing more comes is news");
        assert_eq!(state.generation, first + 2);
    }
}
