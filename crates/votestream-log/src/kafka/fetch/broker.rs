//! The thread that fetches from one broker: plans, asks on one connection, hands the answers to the readers, asks again at once.

use super::Shared;
use super::aborted::AbortedTransaction;
use super::plan::{Ask, Check, POLL, Plan};
use super::state::{Answer, Outcome};
use crate::error::LogError;
use crate::kafka::NodeId;
use crate::kafka::backoff::Backoff;
use crate::kafka::connection::Connection;
use crate::kafka::error;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::{
    BrokerId, FetchRequest, FetchResponse, ListOffsetsRequest, OffsetForLeaderEpochRequest,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use votestream_election::Offset;

/// What one answer may hold; a single batch may be larger.
const ANSWER_BYTES_MAX: i32 = 16 << 20;
/// Records of open and of aborted transactions stay out (the aborted ones are listed).
const READ_COMMITTED: i8 = 1;
/// Who asks: no replica.
const CONSUMER: BrokerId = BrokerId(-1);
/// The newest version that names topics by name.
const BY_NAME: i16 = 12;
/// A broker that is silent for so long beyond its time is reported, and its partitions are looked for elsewhere.
const SILENCE: Duration = Duration::from_secs(2);
/// A broker that is silent for so long is given up.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Fetches from `node` until the log is closed.
pub(super) fn run(shared: &Arc<Shared>, node: NodeId) {
    let mut connection = None;
    let mut backoff = Backoff::new();
    while let Some(plan) = shared.next_plan(node) {
        let done = match connection.take() {
            Some(connection) => Ok(connection),
            None => shared.connect(node),
        };
        match done.and_then(|connection| turn(shared, node, connection, &plan)) {
            Ok(working) => {
                connection = Some(working);
                if backoff.tries() > 0 {
                    tracing::info!(topic = shared.topic, node = node.0, "fetching again");
                }
                backoff.reset();
            }
            Err(error) => {
                if backoff.tries() == 0 {
                    tracing::warn!(topic = shared.topic, node = node.0, %error, "fetching failed, it is tried again");
                }
                shared.node_failed(node, &plan.asks, &error);
                shared.pause(backoff.next_wait());
            }
        }
    }
}

/// One exchange with the broker.
fn turn(
    shared: &Arc<Shared>,
    node: NodeId,
    mut connection: Connection,
    plan: &Plan,
) -> Result<Connection, LogError> {
    if !plan.checks.is_empty() {
        check(shared, &mut connection, &plan.checks)?;
        shared.node_works(node);
        return Ok(connection);
    }
    let version = connection.version::<FetchRequest>()?;
    let version = if shared.topic_id.is_nil() { version.min(BY_NAME) } else { version };
    connection.send_at(&request(shared, plan, version), version)?;
    let answer = receive(shared, node, &mut connection, &plan.asks)?;
    let rest = error::rest(answer.throttle_time_ms);
    let beyond = take_in(shared, plan, answer);
    shared.node_works(node);
    if !rest.is_zero() {
        tracing::debug!(
            topic = shared.topic,
            node = node.0,
            ?rest,
            "the broker asks for a rest: a quota is used up"
        );
        shared.pause(rest);
    }
    for ask in beyond {
        bounds(shared, &mut connection, &ask)?;
    }
    Ok(connection)
}

fn request(shared: &Shared, plan: &Plan, version: i16) -> FetchRequest {
    let partitions = plan.asks.iter().map(|ask| {
        FetchPartition::default()
            .with_partition(ask.partition.0 as i32)
            .with_current_leader_epoch(ask.leader_epoch)
            .with_fetch_offset(ask.position.0 as i64)
            .with_partition_max_bytes(i32::try_from(ask.bytes).unwrap_or(i32::MAX))
    });
    let topic = FetchTopic::default().with_partitions(partitions.collect());
    let topic = if version > BY_NAME {
        topic.with_topic_id(shared.topic_id)
    } else {
        topic.with_topic(shared.topic_name())
    };
    // No fetch session: each request says all, so that what is asked for may change each time.
    FetchRequest::default()
        .with_replica_id(CONSUMER)
        .with_max_wait_ms(plan.wait.as_millis() as i32)
        .with_min_bytes(1)
        .with_max_bytes(ANSWER_BYTES_MAX)
        .with_isolation_level(READ_COMMITTED)
        .with_session_epoch(-1)
        .with_topics(vec![topic])
}

/// Waits for the answer; gives a silent broker up once its partitions are led by others.
fn receive(
    shared: &Shared,
    node: NodeId,
    connection: &mut Connection,
    asks: &[Ask],
) -> Result<FetchResponse, LogError> {
    let began = Instant::now();
    loop {
        if let Some(answer) = connection.receive_within::<FetchRequest>(POLL + SILENCE)? {
            return Ok(answer);
        }
        let silent = LogError::Unreachable {
            place: connection.place().to_owned(),
            what: format!("no answer to Fetch within {} s", began.elapsed().as_secs()),
            next: "is it up, and not overloaded?",
        };
        if began.elapsed() >= SILENCE_MAX || !shared.silent(node, asks, &silent) {
            return Err(silent);
        }
    }
}

/// Hands the answer's parts to their readers; answers those that asked for offsets that their partition does not have.
fn take_in(shared: &Shared, plan: &Plan, answer: FetchResponse) -> Vec<Ask> {
    let mut asks: HashMap<i32, &Ask> = plan.asks.iter().map(|ask| (ask.partition.0 as i32, ask)).collect();
    let parts: Vec<PartitionData> = answer.responses.into_iter().flat_map(|topic| topic.partitions).collect();
    let bytes = parts.iter().filter_map(|part| part.records.as_ref()).map(bytes::Bytes::len).sum();
    let now = Instant::now();
    let (mut beyond, mut news) = (Vec::new(), false);
    let mut state = shared.lock();
    let ticket = state.ticket(bytes);
    for part in parts {
        let Some(ask) = asks.remove(&part.partition_index) else { continue };
        let code = if answer.error_code == 0 { part.error_code } else { answer.error_code };
        let aborted = part.aborted_transactions.unwrap_or_default().into_iter().filter_map(|told| {
            let first = u64::try_from(told.first_offset).ok()?;
            Some(AbortedTransaction { producer: told.producer_id.0, first: Offset(first) })
        });
        let told = Answer {
            code,
            stable: part.last_stable_offset,
            aborted: aborted.collect(),
            records: part.records.unwrap_or_default(),
        };
        match state.deliver(ask, told, &ticket, now) {
            Outcome::Nothing => {}
            Outcome::News => news = true,
            Outcome::OutOfRange => beyond.push(*ask),
        }
    }
    for ask in asks.into_values() {
        if answer.error_code == 0 {
            state.release(&[*ask]);
        } else {
            news |= state.refused(ask, answer.error_code, now) == Outcome::News;
        }
    }
    let refresh = state.refresh;
    drop(state);
    if news {
        shared.news.notify_all();
    }
    if refresh {
        shared.work.notify_all();
    }
    beyond
}

/// Asks where the epochs of the readers' last batches end.
fn check(shared: &Shared, connection: &mut Connection, checks: &[Check]) -> Result<(), LogError> {
    // Two readers of a partition are checked one after the other.
    let mut first: HashMap<i32, &Check> = HashMap::new();
    for check in checks {
        first.entry(check.partition.0 as i32).or_insert(check);
    }
    let partitions = first.values().map(|check| {
        OffsetForLeaderPartition::default()
            .with_partition(check.partition.0 as i32)
            .with_current_leader_epoch(check.leader_epoch)
            .with_leader_epoch(check.epoch)
    });
    let topic =
        OffsetForLeaderTopic::default().with_topic(shared.topic_name()).with_partitions(partitions.collect());
    let request = OffsetForLeaderEpochRequest::default().with_replica_id(CONSUMER).with_topics(vec![topic]);
    let answer = connection.call(&request)?;
    let mut state = shared.lock();
    let mut news = false;
    for told in answer.topics.iter().flat_map(|topic| &topic.partitions) {
        let Some(check) = first.remove(&told.partition) else { continue };
        let outcome = if told.error_code == 0 {
            state.checked(check, told.leader_epoch, told.end_offset)
        } else {
            let (feed, partition, position) = (check.feed, check.partition, check.position);
            let ask = Ask { feed, partition, position, leader_epoch: check.leader_epoch, bytes: 0 };
            state.refused(&ask, told.error_code, Instant::now())
        };
        news |= outcome == Outcome::News;
    }
    let (unanswered, refresh) = (!first.is_empty(), state.refresh);
    drop(state);
    if news {
        shared.news.notify_all();
    }
    if refresh {
        shared.work.notify_all();
    }
    if unanswered {
        let what = "an epoch's end without a partition that was asked for".to_owned();
        return Err(LogError::Garbled { place: connection.place().to_owned(), what });
    }
    Ok(())
}

/// Asks from where to where a partition has records, to tell a log that was cut from one whose beginning is gone.
fn bounds(shared: &Shared, connection: &mut Connection, ask: &Ask) -> Result<(), LogError> {
    let mut found = [Offset(0); 2];
    // Kafka's stand-ins for a time: −2 the first record, −1 the end (read uncommitted).
    for (found, timestamp) in found.iter_mut().zip([-2, -1]) {
        let partition = ListOffsetsPartition::default()
            .with_partition_index(ask.partition.0 as i32)
            .with_current_leader_epoch(ask.leader_epoch)
            .with_timestamp(timestamp);
        let topic =
            ListOffsetsTopic::default().with_name(shared.topic_name()).with_partitions(vec![partition]);
        let request = ListOffsetsRequest::default().with_replica_id(CONSUMER).with_topics(vec![topic]);
        let answer = connection.call(&request)?;
        let told = answer.topics.iter().flat_map(|topic| &topic.partitions).next();
        let (code, offset) = told.map_or((0, -1), |told| (told.error_code, told.offset));
        if code != 0 {
            let outcome = shared.lock().refused(ask, code, Instant::now());
            if outcome == Outcome::News {
                shared.news.notify_all();
            }
            shared.work.notify_all();
            return Ok(());
        }
        let Ok(offset) = u64::try_from(offset) else {
            return Err(error::refused(
                connection.place(),
                "ListOffsets",
                -1,
                Some("no offset in the answer"),
            ));
        };
        *found = Offset(offset);
    }
    let [start, end] = found;
    if shared.lock().out_of_range(ask, start, end, Instant::now()) == Outcome::News {
        shared.news.notify_all();
    }
    Ok(())
}
