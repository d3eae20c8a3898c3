//! The producer of one source partition's copies: whole batches and the position after them, in transactions of its transactional id.
//!
//! Nothing is ever sent twice here: a transaction of which anything fails is given up, and whoever goes on takes the id anew, which ends
//! what was open and keeps out what is still on its way. What the group has is committed without a member's name: of two routers that
//! believe to have a partition, the id lets one through, the later.

use super::group_id;
use super::lane::{Site, TRANSACTION_TIMEOUT};
use crate::batch::{BatchEncoder, SealedBatch, Stamp};
use crate::error::LogError;
use crate::kafka::NodeId;
use crate::kafka::client::Role;
use crate::kafka::cluster::Retry;
use crate::kafka::connection::Connection;
use crate::kafka::error::{refused, rest};
use crate::kafka::produce::{batch_error, sequence_after};
use crate::kafka::producing::{self, MARKERS_WAIT, REQUEST_BYTES_MAX, REQUESTS_MAX, identity};
use crate::kafka::request::Request;
use bytes::Bytes;
use kafka_protocol::ResponseError as E;
use kafka_protocol::messages::produce_request::ProduceRequest;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{AddOffsetsToTxnRequest, GroupId, TxnOffsetCommitRequest};
use kafka_protocol::protocol::StrBytes;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use votestream_election::{Offset, PartitionId};

/// How long opening may take until it is tried anew.
pub(super) const OPEN_WAIT: Duration = Duration::from_secs(30);

pub(super) struct Producer {
    site: Arc<Site>,
    /// The transactional id.
    id: String,
    stamp: Stamp,
    encoder: BatchEncoder,
    coordinator: Connection,
    group_coordinator: Option<Connection>,
    links: HashMap<NodeId, Link>,
    /// Of each partition of the copy: the sequence number of its next batch.
    sequences: Vec<i32>,
    /// The partitions that are part of the open transaction.
    added: BTreeSet<usize>,
    open: bool,
}

/// A leader.
struct Link {
    connection: Connection,
    /// How many batches each request has that is not answered.
    requests: VecDeque<usize>,
    /// What the next request holds.
    next: Vec<(usize, Bytes)>,
    next_bytes: usize,
}

impl Producer {
    /// Takes the transactional id of `partition`: fences whoever had it and ends what that one had begun. `gone` is asked in between.
    pub(super) fn open(
        site: &Arc<Site>,
        partition: PartitionId,
        gone: impl Fn() -> bool,
    ) -> Result<Self, LogError> {
        let id = format!("votestream-route-{}-{}", site.source_id, partition.0);
        let encoder = BatchEncoder::for_url(&site.url)?;
        let request = producing::init(&id, TRANSACTION_TIMEOUT);
        let (coordinator, stamp) = Retry::until(OPEN_WAIT, &site.copy.cluster).run(|| {
            if gone() {
                return Err(LogError::Closed);
            }
            // Whoever led the partitions when the last one failed may lead them no more.
            site.copy.cluster.client().refresh()?;
            let mut connection = site.copy.cluster.connect_coordinator(Role::Transaction, &id)?;
            let answer = connection.call(&request)?;
            let stamp = identity(connection.place(), &answer, true)?;
            Ok((connection, stamp))
        })?;
        Ok(Self {
            site: Arc::clone(site),
            id,
            stamp,
            encoder,
            coordinator,
            group_coordinator: None,
            links: HashMap::new(),
            sequences: vec![0; site.copy.partitions as usize],
            added: BTreeSet::new(),
            open: false,
        })
    }

    /// Sends batches, each to its partition of the copy; does not wait for all answers.
    pub(super) fn send(&mut self, batches: Vec<(PartitionId, SealedBatch)>) -> Result<(), LogError> {
        self.add(&batches)?;
        for (partition, mut batch) in batches {
            let p = partition.0 as usize;
            let mut bytes = Vec::new();
            self.encoder.encode_for_broker(&mut batch, &mut bytes);
            let base_sequence = self.sequences[p];
            self.sequences[p] = sequence_after(base_sequence, batch.records());
            Stamp { base_sequence, ..self.stamp }.put(&mut bytes);
            let node = self.site.copy.cluster.leader(partition)?.node;
            let link = match self.links.entry(node) {
                Entry::Occupied(link) => link.into_mut(),
                Entry::Vacant(room) => room.insert(Link::new(self.site.copy.cluster.connect(node)?)),
            };
            // A request has one batch of a partition.
            let held = link.next.iter().any(|(other, _)| *other == p);
            if held || (link.next_bytes > 0 && link.next_bytes + bytes.len() > REQUEST_BYTES_MAX) {
                link.send(&self.site, &self.id)?;
            }
            link.next_bytes += bytes.len();
            link.next.push((p, bytes.into()));
        }
        self.links.values_mut().try_for_each(|link| link.send(&self.site, &self.id))
    }

    /// Commits what was sent, and `next` as the source's position after it.
    pub(super) fn commit(&mut self, source: PartitionId, next: Offset) -> Result<(), LogError> {
        self.links.values_mut().try_for_each(|link| link.drain(&self.site))?;
        self.send_position(source, next)?;
        let answer =
            self.coordinator.call_within(&producing::end(&self.id, self.stamp, true), TRANSACTION_TIMEOUT)?;
        self.check("EndTxn", answer.error_code)?;
        self.open = false;
        self.added.clear();
        Ok(())
    }

    /// Aborts what is open, or leaves it to the brokers where they do not answer: what is still on its way must not come after its end.
    pub(super) fn abort(mut self) -> Result<(), LogError> {
        if !self.open {
            return Ok(());
        }
        self.links.values_mut().try_for_each(|link| link.drain(&self.site))?;
        let answer = self
            .coordinator
            .call_within(&producing::end(&self.id, self.stamp, false), TRANSACTION_TIMEOUT)?;
        self.check("EndTxn", answer.error_code)
    }

    /// Makes the partitions of `batches` part of the transaction.
    fn add(&mut self, batches: &[(PartitionId, SealedBatch)]) -> Result<(), LogError> {
        let all: BTreeSet<usize> = batches.iter().map(|(partition, _)| partition.0 as usize).collect();
        let wanted: Vec<usize> = all.difference(&self.added).copied().collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let numbers = wanted.iter().map(|p| *p as i32).collect();
        let topic = self.site.copy.cluster.client().topic_name();
        let request = producing::add_partitions(&self.id, self.stamp, topic, numbers);
        self.ask("AddPartitionsToTxn", &request, producing::not_added)?;
        self.added.extend(wanted);
        Ok(())
    }

    /// Makes the source's position part of the transaction.
    fn send_position(&mut self, source: PartitionId, next: Offset) -> Result<(), LogError> {
        let name = group_id(self.site.source_id);
        let group = || GroupId(StrBytes::from_string(name.clone()));
        let request = AddOffsetsToTxnRequest::default()
            .with_transactional_id(producing::transactional_id(&self.id))
            .with_producer_id(self.stamp.producer_id.into())
            .with_producer_epoch(self.stamp.producer_epoch)
            .with_group_id(group());
        self.ask("AddOffsetsToTxn", &request, |answer| answer.error_code)?;
        let position = TxnOffsetCommitRequestPartition::default()
            .with_partition_index(source.0 as i32)
            .with_committed_offset(i64::try_from(next.0).unwrap_or(i64::MAX))
            .with_committed_metadata(Some(StrBytes::from_string(self.site.copy.id.to_string())));
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(crate::kafka::client::topic_name(&self.site.url.topic))
            .with_partitions(vec![position]);
        let request = TxnOffsetCommitRequest::default()
            .with_transactional_id(producing::transactional_id(&self.id))
            .with_group_id(group())
            .with_producer_id(self.stamp.producer_id.into())
            .with_producer_epoch(self.stamp.producer_epoch)
            .with_generation_id(-1)
            .with_topics(vec![topic]);
        let mut connection = match self.group_coordinator.take() {
            Some(connection) => connection,
            None => self.site.copy.cluster.connect_coordinator(Role::Group, &name)?,
        };
        let answer = connection.call_within(&request, TRANSACTION_TIMEOUT)?;
        let told = answer.topics.first().and_then(|topic| topic.partitions.first());
        match told.map(|told| told.error_code) {
            Some(0) => {
                self.group_coordinator = Some(connection);
                Ok(())
            }
            Some(code) => Err(refused(connection.place(), "TxnOffsetCommit", code, None)),
            None => Err(LogError::Garbled {
                place: connection.place().to_owned(),
                what: "an answer to TxnOffsetCommit without the partition".to_owned(),
            }),
        }
    }

    /// Asks the transaction's coordinator, and again while it writes the last one's markers. From here on a transaction is open.
    fn ask<R: Request>(
        &mut self,
        doing: &'static str,
        request: &R,
        code_of: impl Fn(&R::Response) -> i16,
    ) -> Result<(), LogError> {
        let deadline = Instant::now() + TRANSACTION_TIMEOUT;
        let mut pause = MARKERS_WAIT.0;
        loop {
            let code = code_of(&self.coordinator.call_within(request, TRANSACTION_TIMEOUT)?);
            if code != E::ConcurrentTransactions.code() || Instant::now() >= deadline {
                self.open = true;
                return self.check(doing, code);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(MARKERS_WAIT.1);
        }
    }

    fn check(&self, doing: &'static str, code: i16) -> Result<(), LogError> {
        if code == 0 { Ok(()) } else { Err(refused(self.coordinator.place(), doing, code, None)) }
    }
}

impl Link {
    fn new(connection: Connection) -> Self {
        Self { connection, requests: VecDeque::new(), next: Vec::new(), next_bytes: 0 }
    }

    /// Sends what is gathered.
    fn send(&mut self, site: &Site, id: &str) -> Result<(), LogError> {
        if self.next.is_empty() {
            return Ok(());
        }
        while self.requests.len() >= REQUESTS_MAX {
            self.receive(site)?;
        }
        self.requests.push_back(self.next.len());
        self.next_bytes = 0;
        let topic = site.copy.cluster.client().topic_name();
        self.connection.send(&producing::produce(topic, self.next.drain(..), Some(id)))?;
        Ok(())
    }

    /// Waits for all answers.
    fn drain(&mut self, site: &Site) -> Result<(), LogError> {
        while !self.requests.is_empty() {
            self.receive(site)?;
        }
        Ok(())
    }

    fn receive(&mut self, site: &Site) -> Result<(), LogError> {
        let answer = self.connection.receive_by::<ProduceRequest>(TRANSACTION_TIMEOUT)?;
        let batches = self.requests.pop_front().unwrap_or_default();
        let mut told = 0;
        for one in answer.responses.iter().flat_map(|topic| &topic.partition_responses) {
            told += 1;
            if one.error_code != 0 {
                let (place, detail) = (self.connection.place(), one.error_message.as_deref());
                return Err(batch_error(&site.copy.url.topic, place, one.error_code, detail));
            }
        }
        if told != batches {
            return Err(LogError::Garbled {
                place: self.connection.place().to_owned(),
                what: format!("an answer to Produce about {told} of {batches} partitions"),
            });
        }
        // A quota: the broker answers nothing before that.
        std::thread::sleep(rest(answer.throttle_time_ms).min(TRANSACTION_TIMEOUT));
        Ok(())
    }
}
