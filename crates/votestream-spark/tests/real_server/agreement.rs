//! Spark's answers beside those of the domain's own fold, over the same topics: every reason for a reject, odd JSON, repeats across epochs,
//! both policies, both mappings, holes, misrouted votes, generated records.

use crate::native::{Adding, Native, Part};
use crate::topic::{Draft, Lying, OnBroker};
use crate::{NOW, PARTITIONS, attempt, directory, generated, keyed, lively, odd, preset, session, vote};
use std::collections::BTreeSet;
use std::time::Instant;
use votestream_election::delta::VoterFile;
use votestream_election::election::DuplicatePolicy;
use votestream_election::epoch::{Next, Range};
use votestream_election::partitioner::{PartitionerSet, crc32_partition};
use votestream_election::{Election, Millis, Minute, Offset, PartitionId};
use votestream_spark::EpochPlan;

/// How a topic is counted.
pub struct Way {
    pub election: Election,
    pub possible: PartitionerSet,
    rejects: bool,
    epochs: u64,
}

impl Way {
    pub fn usual(election: Election) -> Self {
        Self { election, possible: PartitionerSet::ALL, rejects: false, epochs: 2 }
    }
}

/// Counts a topic with both, in so many epochs of unequal size, and compares after each. Gives back the files of voters that came of it.
pub fn compare(topic: &OnBroker, way: &Way) -> Vec<VoterFile> {
    let (_guard, mut session) = session();
    let election = &way.election;
    let (records, ends) = topic.read();
    let mut natives: Vec<Native> = (0..topic.partitions)
        .map(|p| Native::new(election, p, (topic.partitions, way.possible), way.rejects, NOW))
        .collect();
    let mut adding: Vec<Adding> = (0..topic.partitions).map(|_| Adding::default()).collect();
    let (mut minutes, mut files): (Vec<Option<Minute>>, Vec<VoterFile>) =
        (vec![None; ends.len()], Vec::new());
    let (mut possible, mut counted) = (way.possible, 0);
    let spark_topic = topic.for_spark();
    for epoch in 1..=way.epochs {
        let end_of = |epoch: u64, p: usize| ends[p] * epoch * epoch / (way.epochs * way.epochs);
        let to_of = |p: usize| end_of(epoch, p);
        let ranges_of = |epoch: u64| -> Vec<Range> {
            let ranges = (0..ends.len()).map(|p| Range {
                partition: PartitionId(p as u32),
                from: Offset(end_of(epoch - 1, p)),
                to: Offset(end_of(epoch, p)),
            });
            ranges.collect()
        };
        let ranges = ranges_of(epoch);
        // The last of all is told of an epoch that nobody will ask for.
        let ahead = || Some(ranges_of(way.epochs.min(epoch + 1)));
        let plan = EpochPlan {
            election,
            topic: &spark_topic,
            partitions: topic.partitions,
            ranges: &ranges,
            seen: &files,
            directory: &directory(),
            attempt: attempt(),
            partitioners: possible,
            misrouted_rejects: way.rejects,
            minutes: minutes.iter().enumerate().map(|(p, m)| (PartitionId(p as u32), *m)).collect(),
            now: NOW,
            next: Some(Next { at: Instant::now(), ranges: &ahead }),
        };
        let answer = session.run(&plan).unwrap();
        let expect: Vec<Result<Option<Part>, u64>> =
            natives.iter_mut().enumerate().map(|(p, native)| native.epoch(&records[p], to_of(p))).collect();
        if expect.iter().any(Result::is_err) {
            let stops: Vec<Option<u64>> =
                answer.partitions.iter().map(|p| p.misrouted.map(|o| o.0)).collect();
            assert_eq!(
                stops,
                expect.into_iter().map(Result::err).collect::<Vec<_>>(),
                "where counting stops"
            );
            assert!(answer.files.is_empty());
            return files;
        }
        for (p, expect) in expect.into_iter().enumerate() {
            let found = &answer.partitions[p];
            assert_eq!(found.range, ranges[p]);
            assert_eq!(found.misrouted, None);
            let found_part = adding[p].part(election, found);
            if let Some(expect) = expect.unwrap() {
                show_first_difference(&records[p], &expect, &found_part);
                assert_eq!(found_part, expect, "partition {p}, epoch {epoch}");
            }
            minutes[p] = found.minute;
            counted += found.counts.counted;
        }
        possible = answer.partitioners;
        let expect = natives.iter().map(|n| n.partitioners).reduce(PartitionerSet::intersect).unwrap();
        assert_eq!(possible, expect, "partitioners");
        files.extend(answer.files);
        assert_eq!(files.iter().map(|file| file.voters).sum::<u64>(), counted, "new voters in files");
    }
    files
}

/// A difference in rejects is easiest to understand by its record.
fn show_first_difference(records: &[Lying], expect: &Part, found: &Part) {
    let of = |part: &Part| part.rejects.iter().copied().collect::<BTreeSet<_>>();
    if let Some((offset, reason)) = of(expect).symmetric_difference(&of(found)).next() {
        let record = records.iter().find(|r| r.offset == offset.0);
        let value = record.and_then(|r| r.value.as_deref()).map(String::from_utf8_lossy);
        eprintln!("only one of them rejects {offset} ({}): {value:?}", reason.name());
    }
}

#[test]
fn repeats_across_epochs_count_once() {
    let topic = OnBroker::new(PARTITIONS);
    topic.write(&lively(6_000));
    let files = compare(&topic, &Way { epochs: 3, ..Way::usual(preset()) });
    assert!(files.len() >= 3);
}

#[test]
fn under_last_the_latest_choice_counts() {
    let topic = OnBroker::new(PARTITIONS);
    topic.write(&lively(6_000));
    compare(&topic, &Way { epochs: 3, ..Way::usual(preset().with_duplicate(DuplicatePolicy::Last)) });
}

#[test]
fn offsets_without_a_record_are_skipped() {
    let topic = OnBroker::new(PARTITIONS);
    topic.write_in_transactions(&lively(2_000), 150);
    compare(&topic, &Way::usual(preset()));
    compare(&topic, &Way::usual(preset().with_duplicate(DuplicatePolicy::Last)));
}

#[test]
fn a_topic_keyed_by_crc32_is_recognised() {
    let topic = OnBroker::new(PARTITIONS);
    let drafts = lively(1_000).into_iter().map(|mut draft| {
        draft.partition = crc32_partition(draft.key.as_deref().unwrap(), PARTITIONS).0;
        draft
    });
    topic.write(&drafts.collect::<Vec<_>>());
    compare(&topic, &Way::usual(preset()));
}

#[test]
fn ids_of_every_length_lie_where_murmur2_puts_them() {
    let topic = OnBroker::new(PARTITIONS);
    let ids = (0..20_u32)
        .flat_map(|n| [10_u64.pow(n.min(19)), 10_u64.pow(n.min(19)) + 7, 9 * 10_u64.pow(n.min(18)) + 3]);
    let ids = ids
        .chain([0, 9, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX])
        .chain((0..2_000).map(|i| i * i * i * 7919));
    topic.write(&ids.map(|id| keyed(&id.to_string(), vote(id, "Ohio", "Harris"), NOW.0)).collect::<Vec<_>>());
    compare(&topic, &Way { possible: PartitionerSet::MURMUR2, ..Way::usual(preset()) });
}

/// Says the same with an escape, so that it is judged by the client and not in SQL.
fn escape(draft: &mut Draft) {
    let value = draft.value.take().map(|value| String::from_utf8(value).unwrap());
    draft.value = value.map(|value| value.replace("Female", "F\\u0065male").into_bytes());
}

#[test]
fn misrouted_votes_stop_counting_or_are_rejected() {
    let topic = OnBroker::new(PARTITIONS);
    let mut drafts = lively(900);
    for (i, draft) in drafts.iter_mut().enumerate().skip(500) {
        match i % 40 {
            0 => draft.partition = (draft.partition + 1) % PARTITIONS,
            1 => draft.key = Some(b"somebody else".to_vec()),
            2 => escape(draft),
            3 => {
                escape(draft);
                draft.partition = (draft.partition + 2) % PARTITIONS;
            }
            _ => {}
        }
    }
    topic.write(&drafts);
    for possible in [PartitionerSet::ALL, PartitionerSet::MURMUR2] {
        compare(&topic, &Way { rejects: true, possible, ..Way::usual(preset()) });
    }
    compare(&topic, &Way { possible: PartitionerSet::MURMUR2, epochs: 1, ..Way::usual(preset()) });
}

#[test]
fn odd_records_are_what_the_domain_says() {
    let topic = OnBroker::new(PARTITIONS);
    topic.write(&odd::presidential());
    compare(&topic, &Way { rejects: true, epochs: 1, ..Way::usual(preset()) });
    let mut strict = preset();
    strict.voting_hours = Some((Millis(NOW.0 - 7_200_000), Millis(NOW.0)));
    compare(&topic, &Way { rejects: true, epochs: 1, ..Way::usual(strict) });
    compare(&topic, &Way { rejects: true, epochs: 1, ..Way::usual(Election::preset("poll").unwrap()) });
}

#[test]
fn the_votestream_mapping_is_read_alike() {
    let topic = OnBroker::new(PARTITIONS);
    topic.write(&odd::votestream());
    let election = preset().with_mapping("votestream").unwrap();
    compare(&topic, &Way { rejects: true, epochs: 1, ..Way::usual(election.clone()) });
    compare(
        &topic,
        &Way { rejects: true, epochs: 2, ..Way::usual(election.with_duplicate(DuplicatePolicy::Last)) },
    );
}

#[test]
fn generated_topics_are_counted_alike() {
    for seed in 0..2 {
        let topic = OnBroker::new(PARTITIONS);
        topic.write(&generated::records(seed, 1_500));
        let policy = if seed % 2 == 0 { DuplicatePolicy::First } else { DuplicatePolicy::Last };
        compare(&topic, &Way { rejects: true, epochs: 2, ..Way::usual(preset().with_duplicate(policy)) });
    }
}
