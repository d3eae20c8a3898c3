//! Judging, by the domain's own rules, the records that SQL left undecided. What is a vote goes back to Spark as a row; the rest is a reject.

use crate::error::SparkError;
use crate::judge::Judging;
use crate::rows;
use crate::summary::Class;
use spark_connect::row::{Row, Value};
use votestream_election::event::EventParser;
use votestream_election::partitioner::{crc32_partition, murmur2_partition};
use votestream_election::{Millis, Offset, PartitionId, RejectReason, VoterKey};

/// A vote that was judged here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JudgedVote {
    /// Where it lies, whose it is for the timeline, who puts it there.
    pub(crate) class: Class,
    /// The voter.
    pub(crate) voter: VoterKey,
    /// Region and cell in one.
    pub(crate) cell: i32,
}

/// What the undecided records are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Judged {
    /// Votes, each a class of one record.
    pub(crate) votes: Vec<JudgedVote>,
    /// Rejects.
    pub(crate) rejects: Vec<(PartitionId, Offset, RejectReason)>,
}

/// Judges rows of `partition, offset, ts, key, value, large`.
pub(crate) fn judge(judging: &Judging<'_>, rows: &[Row]) -> Result<Judged, SparkError> {
    let mut parser = EventParser::new(judging.election);
    let layout = judging.election.layout();
    let (mut judged, mut text) = (Judged::default(), Vec::new());
    for row in rows {
        let (partition, offset) = (rows::partition(row, 0)?, Offset(rows::count(row, 1)?));
        let (key, value) = (rows::bytes(row, 3)?, rows::bytes(row, 4)?);
        let vote = match parser.judge(value, Millis(rows::long(row, 2)?), rows::flag(row, 5)?) {
            Ok(vote) => vote,
            Err(reason) => {
                judged.rejects.push((partition, offset, reason));
                continue;
            }
        };
        text.clear();
        parser.canonical_text(vote.voter, &mut text);
        let keyed = key.is_none_or(|key| key == text);
        let (possible, partitions) = (judging.partitioners, judging.partitions);
        let class = Class {
            partition,
            minute: judging.minute(vote.moment),
            m: possible.murmur2 && keyed && murmur2_partition(&text, partitions) == partition,
            c: possible.crc32 && keyed && crc32_partition(&text, partitions) == partition,
            records: 1,
            first: offset,
        };
        let cell = usize::from(vote.region.0) * layout.cells()
            + layout.index(vote.candidate, vote.gender, vote.band);
        judged.votes.push(JudgedVote { class, voter: vote.voter, cell: cell as i32 });
    }
    Ok(judged)
}

/// A voter as two columns of 64 bits: `text`, `a`, `b`.
pub(crate) fn columns(voter: VoterKey) -> (bool, i64, i64) {
    match voter {
        VoterKey::Integer(id) => (false, id.cast_signed(), 0),
        VoterKey::Text(key) => (true, ((key >> 64) as u64).cast_signed(), (key as u64).cast_signed()),
    }
}

/// The schema of [`row`].
pub(crate) const SCHEMA: &str = "struct<partition:int,offset:bigint,text:boolean,a:bigint,b:bigint,cell:int>";

/// A vote as a row of Spark's.
pub(crate) fn row(vote: &JudgedVote) -> Row {
    let (text, a, b) = columns(vote.voter);
    let fields = ["partition", "offset", "text", "a", "b", "cell"].map(str::to_owned).to_vec();
    let values = vec![
        Value::Integer(vote.class.partition.0.cast_signed()),
        Value::Long(vote.class.first.0.cast_signed()),
        Value::Bool(text),
        Value::Long(a),
        Value::Long(b),
        Value::Integer(vote.cell),
    ];
    Row::new(fields, values)
}
