//! Counting again in pieces against one fold: any records, judged in any stretches, in any number of passes over the voters, give the
//! same counts, cells, rejects and ledger.

use proptest::prelude::*;
use votestream_election::delta::{PartitionState, Progress};
use votestream_election::election::DuplicatePolicy;
use votestream_election::event::EventParser;
use votestream_election::fold::{Misrouted, PartitionCount, Record};
use votestream_election::ledger::Digest;
use votestream_election::partitioner::PartitionerSet;
use votestream_election::recount::{
    Carried, Judge, Judged, PassTally, Plain, RejectDigest, Stretch, VoterPart, voter_sum,
};
use votestream_election::seen::{SeenVoters, Unpacked, unpack};
use votestream_election::{Election, Millis, Offset, PartitionId, VoterKey};

const PLACE: (u32, PartitionerSet) = (2, PartitionerSet::MURMUR2);
const SEED: u64 = 0x1234_5678_9abc_def1;

type Log = Vec<(Offset, Vec<u8>)>;

fn record(offset: Offset, value: &[u8]) -> Record<'_> {
    let timestamp = Millis(1_730_840_000_000 + offset.0 as i64 * 20_000);
    Record { offset, timestamp, key: None, value: Some(value), oversize: false }
}

/// What the counting fold says, flushed once.
fn folded(election: &Election, log: &Log, (start, end): (Offset, Offset)) -> Plain {
    let layout = election.layout();
    let progress = Progress::begin(PartitionId(0), 1, start);
    let state = PartitionState::begin(progress, layout.candidates * election.region_rows());
    let seen = SeenVoters::new(election.duplicate, 0, 7);
    let mut fold = PartitionCount::new(election, state, seen, PLACE, Misrouted::Reject);
    let mut parser = EventParser::new(election);
    for (offset, value) in log {
        fold.record(&mut parser, &record(*offset, value)).unwrap();
    }
    fold.end_batch(end, 0).unwrap();
    let delta = fold.seal(end).expect("something was counted");
    let mut plain = Plain { cells: vec![0; layout.cells() * election.region_rows()], ..Plain::default() };
    plain.counts = delta.counts;
    for (region, cells) in &delta.tally {
        let at = usize::from(region.0) * layout.cells();
        plain.cells[at..at + layout.cells()].copy_from_slice(cells);
    }
    for (offset, reason) in &delta.rejects {
        plain.first.reject_list.add(*offset, *reason);
    }
    plain.first.head.leaves = delta.leaves.len() as u64;
    plain.first.head.chain = delta.leaves.last().map_or(Digest::default(), |leaf| leaf.chain);
    plain.first.head.open = delta.open_leaf.expect("a fold hashes what it counts");
    plain.first.leaves = delta.leaves;
    for row in &delta.seen {
        let mut voters = Unpacked::default();
        unpack(&row.bytes, &mut voters).unwrap();
        let keys = voters.integers.iter().map(|id| VoterKey::Integer(*id));
        for voter in keys.chain(voters.texts.iter().map(|key| VoterKey::Text(*key))) {
            plain.voters = plain.voters.wrapping_add(voter_sum(voter, SEED));
        }
    }
    plain
}

/// The same in passes over parts of the voters, each in stretches of so many leaves.
fn recounted(
    election: &Election,
    log: &[(Offset, Judged)],
    (start, end): (Offset, Offset),
    passes: u32,
    leaves: &[u64],
) -> Plain {
    let mut sum = Plain::default();
    for part in VoterPart::all(passes, SEED) {
        let mut tally = PassTally::new(election, (start, part), (0, 0), SEED);
        let mut stretch = Stretch::new(election.layout());
        let mut at = 0;
        while tally.next() < end {
            let from = tally.next();
            let to = Stretch::end_of(from, leaves[at % leaves.len()], end);
            at += 1;
            stretch.begin((from, to), part);
            for (offset, judged) in log.iter().filter(|(offset, _)| (from..to).contains(offset)) {
                stretch.push(*offset, judged);
            }
            tally.apply(&mut stretch);
        }
        sum.add(tally.finish(), part);
    }
    sum
}

/// The same, where all before a leaf's start are carried: as what they came to, and who was counted.
fn carried_on(
    election: &Election,
    log: &[(Offset, Judged)],
    (start, end): (Offset, Offset),
    passes: u32,
) -> Plain {
    let cut = Stretch::end_of(start, 1, end);
    if !cut.0.is_multiple_of(65_536) {
        return recounted(election, log, (start, end), passes, &[1]);
    }
    let before: Vec<_> = log.iter().filter(|(offset, _)| *offset < cut).copied().collect();
    let Plain { counts, cells, first, .. } = recounted(election, &before, (start, cut), 1, &[1]);
    let carried = Carried { counts, cells, rejects: first.rejects, leaves: first.leaves };
    let mut sum = Plain::default();
    for part in VoterPart::all(passes, SEED) {
        let mut tally = PassTally::new(election, (cut, part), (0, 0), SEED);
        tally.carry(&carried);
        for (_, judged) in &before {
            if let Judged::Vote(vote) = judged {
                tally.carry_voter(vote.voter);
            }
        }
        let mut stretch = Stretch::new(election.layout());
        stretch.begin((cut, end), part);
        for (offset, judged) in log.iter().filter(|(offset, _)| *offset >= cut) {
            stretch.push(*offset, judged);
        }
        tally.apply(&mut stretch);
        sum.add(tally.finish(), part);
    }
    sum
}

fn line(election: &Election, (voter, region, candidate, age): (u32, usize, usize, u16)) -> Vec<u8> {
    // A third of the voters have texts for ids; one region in twenty and some ages are none.
    let id = if voter.is_multiple_of(3) { format!("\"v{voter}\"") } else { voter.to_string() };
    let region = election.regions.get(region).map_or("nowhere", |r| &r.name);
    let decision = &election.candidates[candidate].id;
    format!(r#"{{"id":{id},"gender":"Male","age":{age},"state":"{region}","decision":"{decision}"}}"#)
        .into_bytes()
}

fn same(found: &Plain, expect: &Plain) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.counts, expect.counts);
    prop_assert_eq!(&found.cells, &expect.cells);
    prop_assert_eq!(&found.first.leaves, &expect.first.leaves);
    prop_assert_eq!(&found.first.head, &expect.first.head);
    let list = |digest: &RejectDigest| (digest.rejects, digest.digest());
    prop_assert_eq!(list(&found.first.reject_list), list(&expect.first.reject_list));
    prop_assert_eq!(found.voters, expect.voters);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_stretches_and_passes_give_what_one_fold_gives(
        script in prop::collection::vec(
            (prop_oneof![20 => Just(0_u64), 2 => 1_u64..5, 1 => Just(40_000)], (0_u32..60, 0_usize..54, 0_usize..4, 15_u16..90)),
            1..250,
        ),
        start in prop::sample::select(vec![0_u64, 65_500, 65_536]),
        last in any::<bool>(),
        passes in 1_u32..8,
        leaves in prop::collection::vec(1_u64..5, 1..6),
    ) {
        let policy = if last { DuplicatePolicy::Last } else { DuplicatePolicy::First };
        let election = Election::preset("us-president-2024").expect("a preset").with_duplicate(policy);
        let mut at = start;
        let log: Log = script.iter().map(|(gap, vote)| {
            let offset = Offset(at + gap);
            at = offset.0 + 1;
            (offset, line(&election, *vote))
        }).collect();
        let range = (Offset(start), Offset(at));
        let expect = folded(&election, &log, range);
        let mut judge = Judge::new(&election, PartitionId(0), PLACE);
        let judged: Vec<_> = log.iter().map(|(o, value)| (*o, judge.record(&record(*o, value)))).collect();
        same(&recounted(&election, &judged, range, passes, &leaves), &expect)?;

        // A row of the ledger says all of a vote that a recount needs.
        let rows = judged.iter().map(|(offset, judged)| {
            let Judged::Vote(vote) = judged else { return (*offset, *judged) };
            (*offset, Judged::of_row(&election, &vote.ledger_row()).expect("a vote of this election"))
        });
        same(&recounted(&election, &rows.collect::<Vec<_>>(), range, passes, &leaves), &expect)?;

        if !last {
            let mut found = carried_on(&election, &judged, range, passes);
            // What is carried lists no rejects one by one.
            found.first.reject_list = expect.first.reject_list.clone();
            same(&found, &expect)?;
        }
    }
}

#[test]
fn another_voter_is_another_sum_and_order_is_none() {
    let sum = |ids: &[u64]| {
        ids.iter().fold(0_u128, |sum, id| sum.wrapping_add(voter_sum(VoterKey::Integer(*id), SEED)))
    };
    assert_eq!(sum(&[1, 2, 3]), sum(&[3, 1, 2]));
    assert_ne!(sum(&[1, 2, 3]), sum(&[1, 2, 4]));
    assert_ne!(voter_sum(VoterKey::Integer(7), SEED), voter_sum(VoterKey::Text(7), SEED));
}

#[test]
fn a_row_that_names_what_there_is_not_is_no_vote() {
    let election = Election::preset("us-president-2024").expect("a preset");
    let mut judge = Judge::new(&election, PartitionId(0), (1, PartitionerSet::MURMUR2));
    let Judged::Vote(vote) = judge.record(&record(Offset(0), &line(&election, (1, 0, 0, 40)))) else {
        panic!("a vote")
    };
    let row = vote.ledger_row();
    assert_eq!(Judged::of_row(&election, &row), Some(Judged::Vote(vote)));
    for wrong in [
        votestream_election::ledger::LedgerVote { region: 51, ..row },
        votestream_election::ledger::LedgerVote { candidate: 4, ..row },
        votestream_election::ledger::LedgerVote { gender: 9, ..row },
        votestream_election::ledger::LedgerVote { age: 0x8000 | 0x63, ..row },
    ] {
        assert_eq!(Judged::of_row(&election, &wrong), None, "{wrong:?}");
    }
}
