//! Files of voters: compacted, handed over from and to another engine, swept; and counting that goes on after each.

use crate::topic::OnBroker;
use crate::{NOW, PARTITIONS, attempt, directory, lively, preset, session};
use std::collections::BTreeSet;
use votestream_election::delta::VoterFile;
use votestream_election::election::DuplicatePolicy;
use votestream_election::epoch::{Range, SeenVoter};
use votestream_election::partitioner::{PartitionerSet, murmur2_partition};
use votestream_election::{Election, Offset, PartitionId, VoterKey};
use votestream_spark::{EpochPlan, Session, SparkError};

/// Counts the first records of a topic, or all; what is known is what the files say.
fn count(
    session: &mut Session,
    topic: &OnBroker,
    policy: DuplicatePolicy,
    ends: &[u64],
    seen: &[VoterFile],
) -> Result<(u64, Vec<VoterFile>), SparkError> {
    let election = preset().with_duplicate(policy);
    let ranges: Vec<Range> = ends
        .iter()
        .zip(0..)
        .map(|(end, p)| Range { partition: PartitionId(p), from: Offset(0), to: Offset(*end) })
        .collect();
    let plan = EpochPlan {
        election: &election,
        topic: &topic.for_spark(),
        partitions: topic.partitions,
        ranges: &ranges,
        seen,
        directory: &directory(),
        attempt: attempt(),
        partitioners: PartitionerSet::ALL,
        misrouted_rejects: false,
        minutes: Vec::new(),
        now: NOW,
        next: None,
    };
    let answer = session.run(&plan)?;
    Ok((answer.partitions.iter().map(|part| part.counts.counted).sum(), answer.files))
}

#[test]
fn compacted_and_handed_over_voters_are_the_same() {
    let topic = OnBroker::new(PARTITIONS);
    topic.write(&lively(2_000));
    let (records, ends) = topic.read();
    let half: Vec<u64> = ends.iter().map(|end| end / 2).collect();
    let (_guard, mut session) = session();
    for policy in [DuplicatePolicy::First, DuplicatePolicy::Last] {
        let election = preset().with_duplicate(policy);
        let (first, mut files) = count(&mut session, &topic, policy, &half, &[]).unwrap();
        let (second, more) = count(&mut session, &topic, policy, &ends, &files).unwrap();
        files.extend(more);
        assert!(first > 0 && second > 0 && first + second < records.iter().map(|r| r.len() as u64).sum());
        let voters = voters_of(&mut session, &election, &files);
        assert_eq!(voters.len() as u64, first + second);
        for voter in &voters {
            let VoterKey::Integer(id) = voter.voter else { panic!("{voter:?} has no integer id") };
            assert_eq!(voter.partition, murmur2_partition(id.to_string().as_bytes(), PARTITIONS));
        }
        let compacted = session.compact(&election, &directory(), attempt(), &files).unwrap();
        assert_eq!(
            (compacted.len(), compacted[0].rows, compacted[0].voters),
            (1, first + second, first + second)
        );
        assert_eq!(voters_of(&mut session, &election, &compacted), voters);
        let put = session.put_voters(&election, &directory(), attempt(), &voters).unwrap();
        assert_eq!(voters_of(&mut session, &election, &put), voters);
        for seen in [&compacted, &put] {
            let (new, files) = count(&mut session, &topic, policy, &ends, seen).unwrap();
            assert_eq!((new, files.iter().map(|file| file.voters).sum::<u64>()), (0, 0), "all are known");
        }
    }
}

#[test]
fn any_key_comes_back_as_it_was() {
    let (_guard, mut session) = session();
    let election = preset();
    let keys = [0, 1, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX].map(VoterKey::Integer);
    let texts = [0, 1, u128::from(u64::MAX), 1 << 127, u128::MAX].map(VoterKey::Text);
    let voters: Vec<SeenVoter> = keys
        .into_iter()
        .chain(texts)
        .map(|voter| SeenVoter { voter, partition: PartitionId(3), choice: None })
        .collect();
    let files = session.put_voters(&election, &directory(), attempt(), &voters).unwrap();
    assert_eq!(voters_of(&mut session, &election, &files), sorted(&voters));
    assert!(session.put_voters(&election, &directory(), attempt(), &[]).unwrap().is_empty());
}

#[test]
fn more_voters_than_one_piece_holds_come_back_in_pieces() {
    let (_guard, mut session) = session();
    let election = preset();
    let voters: Vec<SeenVoter> = (0..260_000)
        .map(|id| SeenVoter { voter: VoterKey::Integer(id * id), partition: PartitionId(1), choice: None })
        .collect();
    let files = session.put_voters(&election, &directory(), attempt(), &voters).unwrap();
    let (mut pieces, mut found) = (0, Vec::new());
    let each = &mut |piece: &[SeenVoter]| {
        pieces += 1;
        assert!(piece.len() < 150_000, "{}", piece.len());
        found.extend_from_slice(piece);
    };
    session.voters(&election, &directory(), &files, each).unwrap();
    assert!(pieces >= 2 && sorted(&found) == sorted(&voters), "{pieces} pieces, {} voters", found.len());
}

#[test]
fn what_was_swept_or_lost_is_missed_and_never_passed_over() {
    let topic = OnBroker::new(PARTITIONS);
    topic.write(&lively(200));
    let (_, ends) = topic.read();
    let (_guard, mut session) = session();
    let election = preset();
    let voters = [SeenVoter { voter: VoterKey::Integer(5), partition: PartitionId(0), choice: None }];
    let swept = attempt();
    let files = session.put_voters(&election, &directory(), swept, &voters).unwrap();
    session.remove(&election, &directory(), &[swept, attempt()]).unwrap();
    for session in
        [&mut session, &mut Session::open(&crate::remote(), votestream_spark::Limits::default()).unwrap()]
    {
        let error = count(session, &topic, DuplicatePolicy::First, &ends, &files).unwrap_err();
        assert!(matches!(error, SparkError::Directory { .. }), "{error}");
    }
}

/// What files hold, read back.
fn voters_of(session: &mut Session, election: &Election, files: &[VoterFile]) -> Vec<SeenVoter> {
    let mut found = Vec::new();
    session.voters(election, &directory(), files, &mut |piece| found.extend_from_slice(piece)).unwrap();
    sorted(&found)
}

fn sorted(voters: &[SeenVoter]) -> Vec<SeenVoter> {
    let set: BTreeSet<SeenVoter> = voters.iter().copied().collect();
    assert_eq!(set.len(), voters.len(), "nobody is there twice");
    set.into_iter().collect()
}
