//! What a sample of records says about a log: whether they are votes of the election, how they are framed, keyed and laid out over the
//! partitions, and what clocks their producers have. Reading them is left to the caller. No value is ever shown.

use super::lines::{Lines, many};
use std::collections::BTreeSet;
use votestream_election::election::Election;
use votestream_election::event::EventParser;
use votestream_election::framing::registry::{Framing, unframe};
use votestream_election::partitioner::{PartitionerSet, crc32_partition, murmur2_partition};
use votestream_election::{Millis, PartitionId, RejectReason};

/// More rejects than one in so many are a fault of the mapping rather than of a few producers.
const REJECTS_ONE_IN: u64 = 10;
/// Schema ids that are named.
const SCHEMA_IDS_MAX: usize = 5;
/// How far a record's time may be ahead of this machine's clock, in milliseconds.
const AHEAD_MS_MAX: i64 = 5_000;

/// A record of the sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looked<'a> {
    pub(super) partition: PartitionId,
    pub(super) timestamp: Millis,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) oversize: bool,
}

/// Where the sample is from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'a> {
    /// The log's URL, for commands to type.
    pub(super) log: &'a str,
    /// A topic of Kafka: others may have written it.
    pub(super) kafka: bool,
}

/// What was seen so far.
pub(super) struct Sample<'e> {
    election: &'e Election,
    parser: EventParser,
    partitions: u32,
    records: u64,
    votes: u64,
    rejects: [u64; RejectReason::ALL.len()],
    framed_json: u64,
    framed_binary: u64,
    schema_ids: BTreeSet<u32>,
    without_key: u64,
    other_key: u64,
    murmur2: u64,
    crc32: u64,
    newest: Option<Millis>,
    text: Vec<u8>,
}

impl<'e> Sample<'e> {
    /// Nothing seen yet.
    pub(super) fn new(election: &'e Election, partitions: u32) -> Self {
        Self {
            election,
            parser: EventParser::new(election),
            partitions: partitions.max(1),
            records: 0,
            votes: 0,
            rejects: [0; RejectReason::ALL.len()],
            framed_json: 0,
            framed_binary: 0,
            schema_ids: BTreeSet::new(),
            without_key: 0,
            other_key: 0,
            murmur2: 0,
            crc32: 0,
            newest: None,
            text: Vec::new(),
        }
    }

    /// Looks at one record.
    pub(super) fn look(&mut self, record: Looked<'_>) {
        self.records += 1;
        self.newest = self.newest.max(Some(record.timestamp));
        match unframe(record.value.unwrap_or_default()) {
            Framing::Plain => {}
            Framing::Json(_) => self.framed_json += 1,
            Framing::Binary { schema_id } => {
                self.framed_binary += 1;
                self.schema_ids.insert(schema_id);
            }
        }
        match self.parser.judge(record.value, record.timestamp, record.oversize) {
            Ok(vote) => {
                self.votes += 1;
                self.text.clear();
                self.parser.canonical_text(vote.voter, &mut self.text);
                self.without_key += u64::from(record.key.is_none());
                self.other_key += u64::from(record.key.is_some_and(|key| key != self.text));
                self.murmur2 += u64::from(murmur2_partition(&self.text, self.partitions) == record.partition);
                self.crc32 += u64::from(crc32_partition(&self.text, self.partitions) == record.partition);
            }
            Err(reason) => {
                if let Some(count) = RejectReason::ALL
                    .iter()
                    .position(|r| *r == reason)
                    .and_then(|place| self.rejects.get_mut(place))
                {
                    *count += 1;
                }
            }
        }
    }

    /// The partitioners that every vote seen agrees with.
    pub(super) fn partitioners(&self) -> PartitionerSet {
        PartitionerSet { murmur2: self.murmur2 == self.votes, crc32: self.crc32 == self.votes }
    }

    /// What follows.
    pub(super) fn judge(&self, origin: Origin<'_>, now: Millis, lines: &mut Lines) {
        if self.records == 0 {
            lines.well("no records to look at yet: counting will wait for the first");
            return;
        }
        if self.framing(lines) {
            return;
        }
        self.mapping(origin, lines);
        if self.votes > 0 && origin.kafka {
            self.keys(origin, lines);
        }
        self.clocks(now, lines);
    }

    /// `true`: nothing more can be said of records that cannot be read.
    fn framing(&self, lines: &mut Lines) -> bool {
        if self.framed_binary > 0 {
            let ids: Vec<String> =
                self.schema_ids.iter().take(SCHEMA_IDS_MAX).map(ToString::to_string).collect();
            lines.fault(
                format!(
                    "{} of {} sampled are Avro or Protobuf of a schema registry (schema id {}): they cannot be read as votes",
                    many(self.framed_binary, "record"),
                    crate::progress::grouped(self.records),
                    ids.join(", ")
                ),
                "have the producers write JSON (or JSON Schema), or copy the topic as JSON with a connector and count the copy",
            );
            return self.framed_binary == self.records;
        }
        if self.framed_json > 0 {
            lines.well(format!(
                "{} sampled carry a schema registry's JSON Schema frame, which is taken off",
                many(self.framed_json, "record")
            ));
        }
        false
    }

    fn mapping(&self, origin: Origin<'_>, lines: &mut Lines) {
        let rejected = self.records - self.votes;
        let election = format!("election '{}' (mapping {})", self.election.id, self.election.mapping.name);
        let mut reasons: Vec<(u64, &str)> = RejectReason::ALL
            .iter()
            .zip(self.rejects)
            .filter(|(_, count)| *count > 0)
            .map(|(reason, count)| (count, reason.name()))
            .collect();
        reasons.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let reasons: Vec<String> = reasons
            .into_iter()
            .map(|(count, name)| format!("{} {name}", crate::progress::grouped(count)))
            .collect();
        let sampled = format!("{} sampled", many(self.records, "record"));
        if rejected == 0 {
            lines.well(format!("{sampled}: all are votes of {election}"));
        } else if rejected.saturating_mul(REJECTS_ONE_IN) <= self.records {
            lines.well(format!(
                "{sampled}: {} are votes of {election}, others would be rejected ({})",
                crate::progress::grouped(self.votes),
                reasons.join(", ")
            ));
        } else {
            lines.fault(
                format!(
                    "{sampled}: {} would be rejected by {election}: {}",
                    crate::progress::grouped(rejected),
                    reasons.join(", ")
                ),
                format!(
                    "if it is another election, draft its definition with `votestream init --sample '{}' mine.toml` and count with --election mine.toml",
                    origin.log
                ),
            );
        }
    }

    fn keys(&self, origin: Origin<'_>, lines: &mut Lines) {
        let left = self.partitioners();
        let votes = many(self.votes, "vote");
        let route = format!(
            "copy it to one keyed by the voter while counting: `votestream count --route --log '{}' …`; or have producers key each record by its voter's id",
            origin.log
        );
        if self.other_key > 0 {
            lines.fault(
                format!("{} of {votes} sampled have a key that is not the voter's id, so a voter's records may lie on several partitions", crate::progress::grouped(self.other_key)),
                route,
            );
            return;
        }
        let keyed = match self.without_key {
            0 => "each is keyed by its voter",
            n if n == self.votes => "none has a key",
            _ => "some have no key, the others their voter's",
        };
        if self.partitions == 1 {
            lines.well(format!(
                "{votes} sampled: {keyed}; on one partition every voter's records are together"
            ));
            return;
        }
        let partitioner = match (left.murmur2, left.crc32) {
            (true, true) => "murmur2 or crc32 (too few to tell)",
            (true, false) => "murmur2 (Java, kafka-python, votestream)",
            (false, true) => "crc32 (librdkafka, confluent-kafka)",
            (false, false) => {
                let what = format!(
                    "{votes} sampled: {keyed}; they do not lie where a partitioner puts their voters (murmur2 explains {}, crc32 {})",
                    crate::progress::grouped(self.murmur2),
                    crate::progress::grouped(self.crc32)
                );
                lines.fault(what, route);
                return;
            }
        };
        lines.well(format!("{votes} sampled: {keyed}; each lies where {partitioner} puts its voter"));
    }

    fn clocks(&self, now: Millis, lines: &mut Lines) {
        let Some(newest) = self.newest else { return };
        let ahead = newest.0.saturating_sub(now.0);
        if ahead > AHEAD_MS_MAX {
            lines.fault(
                format!(
                    "the newest record sampled bears a time {} s ahead of this machine's clock",
                    ahead / 1_000
                ),
                "set the clocks of producers, brokers and this machine by NTP; votes are counted all the same, the timeline shows them at this machine's minute",
            );
        } else {
            lines.well("no record sampled bears a time ahead of this machine's clock");
        }
    }
}

#[cfg(test)]
#[path = "sample_tests.rs"]
mod tests;
