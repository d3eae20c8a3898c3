//! What every backend must do for an engine that keeps voters in files of its own and cannot hash: scenarios as in `scenarios`.

use super::{Entry, NOW, Site, Worker, election, pin, reload, start, take_over, vote};
use votestream_election::delta::{
    Engine, Fence, FlushOutcome, LedgerSeal, PartitionDelta, SeenPart, VoterFile,
};
use votestream_election::election::DuplicatePolicy;
use votestream_election::ledger::LEAF_OFFSETS;
use votestream_election::seen::{Unpacked, pack};
use votestream_election::{Election, Millis, Offset, PartitionId, RejectReason};
use votestream_store::{
    Attempt, EngineChange, NewFiles, OutsideChange, ReaderStore, StoreError, WriterStore,
};

/// Takes all partitions over as the engine that counts outside does.
pub fn take_over_outside(store: &mut WriterStore, election: &Election, partitions: u32) -> Vec<Worker> {
    let all: Vec<_> = (0..partitions).map(PartitionId).collect();
    let states = store.take_over(&election.id, &all, Engine::Spark).unwrap();
    states.into_iter().map(|state| Worker::new(election, state)).collect()
}

/// A sealed delta as that engine would have it, and the leaves that it lacks.
pub fn outside(mut delta: PartitionDelta) -> (PartitionDelta, LedgerSeal) {
    let seal = LedgerSeal {
        partition: delta.partition,
        fence: delta.fence,
        to: delta.to,
        leaves: std::mem::take(&mut delta.leaves),
        open_leaf: delta.open_leaf.take().unwrap(),
    };
    delta.outside = delta.seen.drain(..).map(|part| part.entries).sum();
    (delta, seal)
}

pub fn file(path: &str, rows: u64) -> VoterFile {
    VoterFile { path: path.to_owned(), rows, voters: rows }
}

fn is_committed(outcome: Result<FlushOutcome, StoreError>) -> u64 {
    match outcome.unwrap() {
        FlushOutcome::Committed { sequence } => sequence,
        FlushOutcome::Fenced(partitions) => panic!("fenced: {partitions:?}"),
    }
}

/// Counted without voters and leaves in the store: what readers see is the same, but for the ledger, which follows.
pub fn ranges_counted_outside_are_read_back_and_sealed_later(site: &Site) {
    let election = election();
    let (mut store, _) = start(&site.url, &election, 2);
    let id = &election.id;
    let mut workers = take_over_outside(&mut store, &election, 2);
    let reader = ReaderStore::open(&site.url).unwrap();
    let mut seals = Vec::new();
    for round in 0..3_u64 {
        let attempt = u128::from(round) + 1;
        assert_eq!(store.begin_attempt(id, attempt, workers[0].epoch).unwrap(), OutsideChange::Done);
        let (mut deltas, mut rows) = (Vec::new(), 0);
        for worker in &mut workers {
            let first = (round * 2 + u64::from(worker.partition.0)) * 1_000_000;
            let votes = (0..30_000).map(|i| vote(first + i, (i % 51) as u16, 0));
            let other = [Entry::Duplicate, Entry::Skip, Entry::Reject(RejectReason::InvalidAge)];
            let (delta, seal) = outside(worker.seal(&votes.chain(other).collect::<Vec<_>>()));
            rows += delta.outside;
            deltas.push(delta);
            seals.push(seal);
        }
        let files = [file(&format!("{attempt}/a"), 7), file(&format!("{attempt}/b"), rows - 7)];
        let new = NewFiles { attempt, files: &files };
        assert_eq!(is_committed(store.flush_outside(id, &deltas, &new, NOW)), 2 * (round + 1));
    }
    let now = reader.snapshot(id).unwrap();
    assert_eq!((now.totals.iter().sum::<u64>(), now.progress[1].counted), (180_000, 90_000));
    for (progress, head) in now.progress.iter().zip(&now.ledger) {
        assert_eq!(
            (progress.sealed, progress.outside, progress.engine),
            (Some(Offset(0)), 90_000, Engine::Spark)
        );
        assert_eq!((head.leaves, head.open.records, progress.pending_leaves()), (0, 0, 2));
    }
    assert_eq!(store.outside(id).unwrap().files.len(), 6);
    reader.verify(id).unwrap();
    assert!(reload(&store, &election, 0).is_empty());

    let stale = seals[0].clone();
    for seal in &seals[..5] {
        is_committed(store.seal_ledger(id, std::slice::from_ref(seal), Millis(NOW.0 + 9)));
    }
    assert_eq!(store.seal_ledger(id, &[stale], NOW).unwrap(), FlushOutcome::Fenced(vec![PartitionId(0)]));
    let mut elsewhere = seals[5].clone();
    elsewhere.fence.epoch += 1;
    assert_eq!(store.seal_ledger(id, &[elsewhere], NOW).unwrap(), FlushOutcome::Fenced(vec![PartitionId(1)]));
    let mut beyond = seals[5].clone();
    beyond.to = beyond.to.plus(1);
    assert_eq!(store.seal_ledger(id, &[beyond], NOW).unwrap(), FlushOutcome::Fenced(vec![PartitionId(1)]));
    let half = reader.snapshot(id).unwrap();
    assert_eq!((half.progress[0].sealed, half.progress[0].pending_leaves()), (None, 0));
    assert_eq!((half.progress[1].sealed, half.progress[1].pending_leaves()), (Some(Offset(60_006)), 2));
    is_committed(store.seal_ledger(id, &seals[5..], NOW));
    let now = reader.snapshot(id).unwrap();
    assert_eq!((now.sequence, now.as_of), (6 + 6, Some(Millis(NOW.0 + 9))));
    for (p, progress) in now.progress.iter().enumerate() {
        let leaves = reader.leaves(id, progress.partition).unwrap();
        assert_eq!(leaves.iter().map(|l| l.number).collect::<Vec<_>>(), [0]);
        let expect = (1, leaves[0].chain, &seals[4 + p].open_leaf);
        assert_eq!((now.ledger[p].leaves, now.ledger[p].chain, &now.ledger[p].open), expect);
        // The rows of duplicates are none here, and two offsets were skipped.
        assert_eq!(leaves[0].records, LEAF_OFFSETS - 4);
    }
    reader.verify(id).unwrap();

    // And counting goes on, under a newer epoch, from a ledger that is whole.
    let mut workers = take_over_outside(&mut store, &election, 2);
    let (delta, seal) = outside(workers[1].seal(&[vote(5, 0, 0)]));
    store.begin_attempt(id, 9, workers[0].epoch).unwrap();
    let new = NewFiles { attempt: 9, files: &[file("9/a", 1)] };
    is_committed(store.flush_outside(id, std::slice::from_ref(&delta), &new, NOW));
    assert_eq!(reader.snapshot(id).unwrap().progress[1].sealed, Some(delta.fence.from));
    is_committed(store.seal_ledger(id, &[seal], NOW));
    assert_eq!(
        store.flush_outside(id, &[delta], &new, NOW).unwrap(),
        FlushOutcome::Fenced(vec![PartitionId(1)])
    );
    assert_eq!(store.outside(id).unwrap().files.len(), 7, "a fenced flush names no file");
}

/// Rows of files against voters, leaves against what was hashed.
pub fn what_lies_outside_must_add_up(site: &Site) {
    let election = election();
    let (mut store, _) = start(&site.url, &election, 1);
    let id = &election.id;
    let mut workers = take_over_outside(&mut store, &election, 1);
    store.begin_attempt(id, 1, workers[0].epoch).unwrap();
    let before =
        Worker::new(&election, store.take_over(id, &[PartitionId(0)], Engine::Spark).unwrap().remove(0));
    workers[0].epoch = before.epoch;
    let hashed = workers[0].seal(&[vote(1, 0, 0), vote(2, 0, 0)]);
    let (delta, seal) = outside(hashed.clone());
    let refused = |done: Result<FlushOutcome, StoreError>, expect: &str| {
        let error = done.unwrap_err();
        assert!(error.to_string().contains(expect) && !error.is_transient(), "{error}");
    };
    let new = |files| NewFiles { attempt: 1, files };
    refused(
        store.flush(id, std::slice::from_ref(&delta), NOW),
        "the number of voters in files is 0 and must be 2",
    );
    let short = [file("1/a", 1)];
    refused(
        store.flush_outside(id, std::slice::from_ref(&delta), &new(&short), NOW),
        "the number of voters in files is 1 and must be 2",
    );
    let mut both = delta.clone();
    both.seen.clone_from(&hashed.seen);
    let four = [file("1/a", 2)];
    refused(
        store.flush_outside(id, &[both], &new(&four), NOW),
        "the number of seen voters is 4 and must be 2",
    );
    let mut leafy = delta.clone();
    leafy.leaves.push(votestream_election::ledger::LeafSeal {
        number: 0,
        records: 2,
        digest: seal.open_leaf.digest,
        chain: seal.open_leaf.digest,
    });
    refused(store.flush_outside(id, &[leafy], &new(&four), NOW), "leaves of a range that was not hashed");
    assert!(store.outside(id).unwrap().files.is_empty());
    is_committed(store.flush_outside(id, std::slice::from_ref(&delta), &new(&four), NOW));
    // What is hashed does not go on from what is not.
    let more = workers[0].seal(&[vote(3, 0, 0)]);
    refused(
        store.flush(id, std::slice::from_ref(&more), NOW),
        "how far the ledger was hashed is 0 and must be 2",
    );
    let mut gap = seal.clone();
    gap.to = Offset(LEAF_OFFSETS);
    refused(store.seal_ledger(id, &[gap], NOW), "the open leaf of the ledger");
    is_committed(store.seal_ledger(id, &[seal], NOW));
    is_committed(store.flush(id, &[more], NOW));
    let progress = store.snapshot(id).unwrap().progress.remove(0);
    assert_eq!((progress.outside, progress.sealed, progress.counted), (2, None, 3));
    assert_eq!(reload(&store, &election, 0), [3]);
    ReaderStore::open(&site.url).unwrap().verify(id).unwrap();
    // Neither engine would find all voters.
    for asked in [Engine::Native, Engine::Spark] {
        let error = store.take_over(id, &[PartitionId(0)], asked).unwrap_err();
        assert!(matches!(error, StoreError::OtherEngine { asked: by, .. } if by == asked), "{error}");
    }
}

/// Merged files take the place of those they were made of, all or none.
pub fn files_of_voters_are_swapped_whole(site: &Site) {
    let mut election = election();
    let mut store = WriterStore::open(&site.url).unwrap();
    for policy in [DuplicatePolicy::First, DuplicatePolicy::Last] {
        election.duplicate = policy;
        election.id = format!("swap-{policy:?}").to_lowercase();
        let id = &election.id;
        store.create_or_resume(&election, &pin(1), NOW).unwrap();
        let mut workers = take_over_outside(&mut store, &election, 1);
        let epoch = workers[0].epoch;
        for attempt in 1..=3 {
            store.begin_attempt(id, attempt, epoch).unwrap();
            let voter = attempt as u64 * 10;
            let (delta, _) = outside(workers[0].seal(&[vote(voter, 0, 0), vote(voter + 1, 0, 0)]));
            let files = [file(&format!("{attempt}/a"), 2)];
            is_committed(store.flush_outside(id, &[delta], &NewFiles { attempt, files: &files }, NOW));
        }
        store.begin_attempt(id, 4, epoch).unwrap();
        let two = [file("1/a", 2), file("2/a", 2)];
        let merged = [file("4/a", 4)];
        let new = NewFiles { attempt: 4, files: &merged };
        let before = store.outside(id).unwrap();
        let error = store.swap_files(id, &two[..1], &new, epoch).unwrap_err();
        assert!(matches!(error, StoreError::Files { found: 4, expected: 2, .. }), "{error}");
        assert_eq!(store.swap_files(id, &two, &new, epoch + 1).unwrap(), OutsideChange::Superseded);
        let other = [file("1/a", 2), file("5/a", 2)];
        assert_eq!(store.swap_files(id, &other, &new, epoch).unwrap(), OutsideChange::Superseded);
        assert_eq!(store.outside(id).unwrap(), before);
        assert_eq!(store.swap_files(id, &two, &new, epoch).unwrap(), OutsideChange::Done);
        let after = store.outside(id).unwrap();
        assert_eq!(after.files, [file("3/a", 2), file("4/a", 4)]);
        assert_eq!(after.attempts, [Attempt { id: 1, epoch: 0 }, Attempt { id: 2, epoch: 0 }]);
        store.take_over(id, &[PartitionId(0)], Engine::Spark).unwrap();
        // Fewer rows, where of a voter who changed the vote only the last choice is kept; never fewer voters.
        store.begin_attempt(id, 6, epoch + 1).unwrap();
        let swap = |store: &mut WriterStore, file: VoterFile| {
            store.swap_files(id, &after.files, &NewFiles { attempt: 6, files: &[file] }, epoch + 1)
        };
        swap(&mut store, file("6/a", 5)).unwrap_err();
        let fewer = VoterFile { path: "6/a".into(), rows: 6, voters: 6 };
        assert_eq!(swap(&mut store, fewer).unwrap(), OutsideChange::Done);
        store.take_over(id, &[PartitionId(0)], Engine::Spark).unwrap();
        ReaderStore::open(&site.url).unwrap().verify(id).unwrap();
    }
}

/// An attempt is noted by who counts, and found by whoever counts next; so is what a new beginning leaves.
pub fn attempts_are_kept_until_they_are_swept(site: &Site) {
    let election = election();
    let (mut store, _) = start(&site.url, &election, 1);
    let id = &election.id;
    let mut workers = take_over_outside(&mut store, &election, 1);
    let epoch = workers[0].epoch;
    assert_eq!(store.begin_attempt(id, 1, epoch - 1).unwrap(), OutsideChange::Superseded, "overtaken");
    for attempt in [1, 2, 3] {
        assert_eq!(store.begin_attempt(id, attempt, epoch).unwrap(), OutsideChange::Done);
    }
    let (delta, _) = outside(workers[0].seal(&[vote(1, 0, 0)]));
    let files = [file("2/a", 1), file("2/b", 0)];
    is_committed(store.flush_outside(id, &[delta], &NewFiles { attempt: 2, files: &files }, NOW));
    let begun = |id| Attempt { id, epoch };
    assert_eq!(store.outside(id).unwrap().attempts, [begun(1), begun(3)]);
    store.forget_attempts(id, &[1]).unwrap();
    assert_eq!(store.outside(id).unwrap().attempts, [begun(3)]);
    store.start_over(&election, &pin(1), NOW).unwrap();
    let left = store.outside(id).unwrap();
    assert_eq!((left.files.len(), left.attempts), (0, vec![Attempt { id: 2, epoch: 0 }, begun(3)]));
    assert_eq!(store.snapshot(id).unwrap().progress[0].outside, 0);
    store.delete_election(id).unwrap();
    store.create_or_resume(&election, &pin(1), NOW).unwrap();
    assert!(store.outside(id).unwrap().attempts.is_empty());
}

/// The fences of workers.
pub fn fences(workers: &[Worker]) -> Vec<Fence> {
    workers.iter().map(|w| Fence { from: w.next, epoch: w.epoch, engine: w.engine }).collect()
}

/// Voters as rows of the store have them.
fn packed(voters: &[u64]) -> Vec<SeenPart> {
    pack(&Unpacked { integers: voters.to_vec(), ..Unpacked::default() })
}

/// Native, then outside, then native: voters move with their engine, in one transaction, or stay where they are.
pub fn an_election_changes_its_engine_and_back(site: &Site) {
    let election = election();
    let (mut store, mut workers) = start(&site.url, &election, 2);
    let id = &election.id;
    let reader = ReaderStore::open(&site.url).unwrap();
    for round in 0..3 {
        let deltas: Vec<_> = workers
            .iter_mut()
            .map(|w| w.seal(&[vote(10 * round + u64::from(w.partition.0), 0, 0), Entry::Duplicate]))
            .collect();
        is_committed(store.flush(id, &deltas, NOW));
    }
    let before = (reader.snapshot(id).unwrap(), [0, 1].map(|p| reload(&store, &election, p)));
    assert_eq!(before.1, [[0, 10, 20], [1, 11, 21]]);

    // Out.
    let error = store.take_over(id, &[PartitionId(0)], Engine::Spark).unwrap_err();
    assert!(matches!(error, StoreError::OtherEngine { asked: Engine::Spark, .. }), "{error}");
    let workers = take_over(&mut store, &election, 2);
    for attempt in [1, 2] {
        assert_eq!(store.begin_attempt(id, attempt, workers[0].epoch).unwrap(), OutsideChange::Done);
    }
    let (one, two) = ([file("1/a", 4)], [file("2/a", 2)]);
    let new = [NewFiles { attempt: 1, files: &one }, NewFiles { attempt: 2, files: &two }];
    let error = store.change_engine(id, &fences(&workers), &EngineChange::Outside(&new[..1])).unwrap_err();
    assert!(matches!(error, StoreError::Files { found: 4, expected: 6, .. }), "{error}");
    let out = EngineChange::Outside(&new);
    let spoils: [fn(&mut Fence); 3] =
        [|f| f.epoch += 1, |f| f.from = f.from.plus(1), |f| f.engine = Engine::Spark];
    for spoil in spoils {
        let mut stale = fences(&workers);
        spoil(&mut stale[1]);
        assert_eq!(store.change_engine(id, &stale, &out).unwrap(), OutsideChange::Superseded);
    }
    let some = &fences(&workers)[..1];
    assert_eq!(store.change_engine(id, some, &out).unwrap(), OutsideChange::Superseded, "all or none");
    assert!(store.outside(id).unwrap().files.is_empty());
    assert_eq!(store.change_engine(id, &fences(&workers), &out).unwrap(), OutsideChange::Done);
    assert_eq!(store.outside(id).unwrap().files, [one[0].clone(), two[0].clone()]);
    assert!(store.outside(id).unwrap().attempts.is_empty());
    reader.verify(id).unwrap();
    let now = reader.snapshot(id).unwrap();
    assert_eq!(
        (now.sequence, &now.totals, &now.ledger),
        (before.0.sequence, &before.0.totals, &before.0.ledger)
    );
    for (now, before) in now.progress.iter().zip(&workers) {
        let expect = (Engine::Spark, before.epoch + 1, 3, None);
        assert_eq!((now.engine, now.epoch, now.outside, now.sealed), expect);
    }
    assert!([0, 1].iter().all(|p| reload(&store, &election, *p).is_empty()));
    // Whoever counted is fenced, and does not come back.
    let mut late = workers;
    let delta = late[0].seal(&[vote(77, 0, 0)]);
    assert_eq!(store.flush(id, &[delta], NOW).unwrap(), FlushOutcome::Fenced(vec![PartitionId(0)]));
    let error = store.take_over(id, &[PartitionId(0)], Engine::Native).unwrap_err();
    assert!(error.to_string().contains("--engine native --remote"), "{error}");
    assert!(!error.is_transient());

    // Counted there, its leaves pending.
    let mut workers = take_over_outside(&mut store, &election, 2);
    store.begin_attempt(id, 3, workers[0].epoch).unwrap();
    let (delta, seal) = outside(workers[1].seal(&[vote(31, 0, 0), Entry::Reject(RejectReason::InvalidAge)]));
    let three = [file("3/a", 1)];
    is_committed(store.flush_outside(id, &[delta], &NewFiles { attempt: 3, files: &three }, NOW));

    // And back.
    let files = store.outside(id).unwrap().files;
    let seen = [packed(&[0, 10, 20]), [packed(&[1, 31]), packed(&[11, 21])].concat()];
    let home = EngineChange::Inside { files: &files, seen: &seen };
    let error = store.change_engine(id, &fences(&workers), &home).unwrap_err();
    assert!(error.to_string().contains("leaves that are not hashed"), "{error}");
    is_committed(store.seal_ledger(id, &[seal], NOW));
    for (seen, expect) in
        [(&seen[..1], "is 0 and must be 4"), (&[seen[1].clone(), seen[0].clone()][..], "is 4 and must be 3")]
    {
        let short = EngineChange::Inside { files: &files, seen };
        let error = store.change_engine(id, &fences(&workers), &short).unwrap_err();
        assert!(error.to_string().contains(expect), "{error}");
    }
    let other = [files[0].clone(), files[1].clone(), file("4/a", 1)];
    let other = EngineChange::Inside { files: &other, seen: &seen };
    assert_eq!(store.change_engine(id, &fences(&workers), &other).unwrap(), OutsideChange::Superseded);
    assert_eq!(store.outside(id).unwrap().files, files, "nothing was changed");
    assert_eq!(store.change_engine(id, &fences(&workers), &home).unwrap(), OutsideChange::Done);
    let left = store.outside(id).unwrap();
    assert_eq!(
        (left.files.len(), left.attempts.iter().map(|a| (a.id, a.epoch)).collect::<Vec<_>>()),
        (0, vec![(1, 0), (2, 0), (3, 0)])
    );
    reader.verify(id).unwrap();
    assert_eq!([0, 1].map(|p| reload(&store, &election, p)), [vec![0, 10, 20], vec![1, 11, 21, 31]]);
    store.take_over(id, &[PartitionId(0)], Engine::Spark).unwrap_err();
    let mut workers = take_over(&mut store, &election, 2);
    let deltas: Vec<_> =
        workers.iter_mut().map(|w| w.seal(&[vote(40 + u64::from(w.partition.0), 0, 0)])).collect();
    is_committed(store.flush(id, &deltas, NOW));
    reader.verify(id).unwrap();
    assert_eq!(reader.snapshot(id).unwrap().totals.iter().sum::<u64>(), 9);
}

/// Where changes are rows of their own, voters move once; an election of which nothing is counted moves as well.
pub fn changes_of_votes_and_empty_partitions_change_engine(site: &Site) {
    let mut election = election();
    election.duplicate = DuplicatePolicy::Last;
    let (mut store, mut workers) = start(&site.url, &election, 2);
    let id = &election.id;
    for cell in [7, 8] {
        let mut delta = workers[0].seal(&[if cell == 7 { vote(5, 0, 0) } else { Entry::Duplicate }]);
        let voter = Unpacked { integers: vec![5], integer_cells: vec![cell], ..Unpacked::default() };
        delta.seen = pack(&voter);
        is_committed(store.flush(id, &[delta], NOW));
    }
    store.begin_attempt(id, 1, workers[0].epoch).unwrap();
    let files = [file("1/a", 1)];
    let new = [NewFiles { attempt: 1, files: &files }];
    let done = store.change_engine(id, &fences(&workers), &EngineChange::Outside(&new)).unwrap();
    assert_eq!(done, OutsideChange::Done);
    let workers = take_over_outside(&mut store, &election, 2);
    let voter = Unpacked { integers: vec![5], integer_cells: vec![8], ..Unpacked::default() };
    let seen = [pack(&voter), Vec::new()];
    let home = EngineChange::Inside { files: &files, seen: &seen };
    assert_eq!(store.change_engine(id, &fences(&workers), &home).unwrap(), OutsideChange::Done);
    ReaderStore::open(&site.url).unwrap().verify(id).unwrap();
    take_over(&mut store, &election, 2);
    assert_eq!([0, 1].map(|p| reload(&store, &election, p)), [vec![5], vec![]]);
}
