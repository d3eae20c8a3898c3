//! Records gathered into one batch a partition, and the partition of each record. What a source already has in the log is passed over.

use crate::EngineError;
use votestream_election::definition::{MAPPINGS, sample};
use votestream_election::event::EventParser;
use votestream_election::partitioner::murmur2_partition;
use votestream_election::{Election, Millis, PartitionId, RejectReason, SourceId, VoterKey};
use votestream_log::{AppendHandle, BatchBuilder};

/// Uncompressed bytes of a batch: large enough for its overhead not to matter, small enough for many to be under way.
const BATCH_BYTES: usize = 512 * 1024;

/// Fills one batch a partition and queues it when full.
pub struct Batcher {
    handle: AppendHandle,
    keyed: bool,
    builders: Vec<BatchBuilder>,
    source: Option<SourceId>,
    /// Per partition the source's last index that is durable.
    durable: Vec<Option<u64>>,
    last: Vec<u64>,
    appended: u64,
    passed: u64,
}

impl Batcher {
    /// Appends through `handle` to a log of `partitions`. With a source, `durable` says per partition what of it the log already has.
    pub fn new(handle: AppendHandle, partitions: u32, source: Option<(SourceId, Vec<Option<u64>>)>) -> Self {
        let (source, durable) = source.map_or((None, Vec::new()), |(id, durable)| (Some(id), durable));
        Self {
            keyed: handle.keyed(),
            handle,
            builders: (0..partitions).map(|_| BatchBuilder::new(BATCH_BYTES)).collect(),
            source,
            durable,
            last: vec![0; partitions as usize],
            appended: 0,
            passed: 0,
        }
    }

    /// The first index of the source that some partition may lack.
    pub fn restart_at(&self) -> u64 {
        self.durable.iter().map(|last| last.map_or(0, |last| last + 1)).min().unwrap_or(0)
    }

    /// Adds record number `index` of the source; returns whether it was appended rather than passed over. `key` is the canonical text
    /// of its voter, where it has one; a log whose records have no keys does without.
    #[inline]
    pub fn push(
        &mut self,
        index: u64,
        partition: PartitionId,
        timestamp: Millis,
        key: Option<&[u8]>,
        value: &[u8],
        oversize: Option<u64>,
    ) -> Result<bool, EngineError> {
        let p = partition.0 as usize;
        if self.durable.get(p).copied().flatten().is_some_and(|durable| index <= durable) {
            self.passed += 1;
            return Ok(false);
        }
        if self.keyed {
            self.builders[p].push_keyed(timestamp, key, value, oversize);
        } else {
            self.builders[p].push(timestamp, value, oversize);
        }
        self.last[p] = index;
        self.appended += 1;
        if self.builders[p].is_full() {
            self.send(p)?;
        }
        Ok(true)
    }

    /// Queues every batch begun.
    pub fn flush(&mut self) -> Result<(), EngineError> {
        for p in 0..self.builders.len() {
            if !self.builders[p].is_empty() {
                self.send(p)?;
            }
        }
        Ok(())
    }

    /// Queues all and waits until it is durable.
    pub fn finish(&mut self) -> Result<(), EngineError> {
        self.flush()?;
        self.handle.flush()?;
        Ok(())
    }

    fn send(&mut self, p: usize) -> Result<(), EngineError> {
        let source = self.source.map(|id| (id, self.last[p]));
        let batch = self.builders[p].seal(source);
        fail::fail_point!("produce-before-append", |_| std::process::abort());
        self.handle.append(PartitionId(p as u32), batch)?;
        fail::fail_point!("produce-after-append", |_| std::process::abort());
        Ok(())
    }

    /// Records appended by this run.
    pub fn appended(&self) -> u64 {
        self.appended
    }

    /// Records that the log already had.
    pub fn passed(&self) -> u64 {
        self.passed
    }

    /// Partitions of the log.
    pub fn partitions(&self) -> u32 {
        self.builders.len() as u32
    }
}

/// Finds a record's partition: its voter's, or, where it has none that counts, one by its number.
pub struct Router {
    parser: EventParser,
    /// Other names that a voter's id goes by, for records of another election than the one named.
    others: Vec<EventParser>,
    partitions: u32,
    /// The canonical text of the voter of the record routed last; empty where it names none.
    text: Vec<u8>,
}

impl Router {
    /// For this election's records on a log of `partitions`.
    pub fn new(election: &Election, partitions: u32) -> Self {
        let named = |mapping| election.clone().with_mapping(mapping).ok();
        let others = MAPPINGS.iter().filter_map(|name| named(name)).map(|e| EventParser::new(&e)).collect();
        Self { parser: EventParser::new(election), others, partitions, text: Vec::new() }
    }

    /// The partition, and the reason for which counting will reject the record (as far as the record alone shows). A record that
    /// this election rejects still goes where its voter belongs, so that it may be counted under another definition.
    pub fn route(
        &mut self,
        index: u64,
        value: &[u8],
        timestamp: Millis,
        oversize: bool,
    ) -> (PartitionId, Result<VoterKey, RejectReason>) {
        self.text.clear();
        let judged = self.parser.judge(Some(value), timestamp, oversize).map(|vote| vote.voter);
        match judged {
            Ok(voter) => {
                self.parser.canonical_text(voter, &mut self.text);
                (murmur2_partition(&self.text, self.partitions), judged)
            }
            Err(_) => (self.rejected(index, value), judged),
        }
    }

    /// The canonical text of the voter of the record routed last: its key in a log whose records have keys. `None`: it names no voter.
    pub fn key(&self) -> Option<&[u8]> {
        (!self.text.is_empty()).then_some(self.text.as_slice())
    }

    /// Looks at an input's first records: where none of them names a voter as expected, finds the field that does, as a draft of a
    /// definition would, so that the log can be counted under such a definition later.
    pub fn learn(&mut self, records: &[Vec<u8>]) {
        let mut parsers = std::iter::once(&mut self.parser).chain(&mut self.others);
        if records.iter().any(|record| parsers.any(|parser| parser.voter_text(record).is_some())) {
            return;
        }
        if let Ok((drafted, _)) = sample::draft(records.iter().map(Vec::as_slice)) {
            tracing::info!(voter = ?drafted.mapping.voter.0, "records name their voter otherwise; they are dealt out by it");
            self.others.push(EventParser::new(&drafted));
        }
    }

    /// Where a rejected record goes: to its voter's partition if it names one that can be read, else by its number.
    fn rejected(&mut self, index: u64, value: &[u8]) -> PartitionId {
        let mut parsers = std::iter::once(&mut self.parser).chain(&mut self.others);
        match parsers.find_map(|parser| parser.voter_text(value)) {
            Some(voter) => {
                self.text.extend_from_slice(voter.as_bytes());
                murmur2_partition(&self.text, self.partitions)
            }
            None => PartitionId((index % u64::from(self.partitions)) as u32),
        }
    }
}
