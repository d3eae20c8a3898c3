//! What an observer of the releases can work out, tried over arbitrary courses of a count.

use super::rule::is_safe;
use super::*;
use crate::definition::US_PRESIDENT_2024;
use proptest::prelude::*;

fn small(regions: usize, min_cell: u64) -> Election {
    let mut election = Election::preset(US_PRESIDENT_2024).unwrap();
    election.regions.truncate(regions);
    election.candidates.truncate(2);
    election.bands.truncate(2);
    election.genders = ["Male", "Female", "Unknown"].map(str::to_owned).to_vec();
    election.min_cell = min_cell;
    election
}

/// What the public has: the newest release of each block.
#[derive(Clone, Default)]
struct Public(Vec<ReleaseBlock>);

impl Public {
    fn publish(&mut self, blocks: Vec<ReleaseBlock>) {
        for block in blocks {
            let same = |b: &ReleaseBlock| {
                (b.region, b.candidate, b.kind) == (block.region, block.candidate, block.kind)
            };
            self.0.retain(|b| !same(b));
            self.0.push(block);
        }
    }

    fn cells(
        &self,
        region: Option<RegionIx>,
        candidate: CandidateIx,
        kind: BlockKind,
        size: usize,
    ) -> Vec<i64> {
        let found = self.0.iter().find(|b| (b.region, b.candidate, b.kind) == (region, candidate, kind));
        found.map_or_else(|| vec![0; size], |b| b.cells.iter().map(|c| *c as i64).collect())
    }

    /// Every number by demographic group that this answer gives, or that its sums and differences give, each under a name.
    fn numbers(&self, election: &Election) -> Vec<(String, Vec<i64>)> {
        let layout = election.layout();
        let mut numbers = Vec::new();
        for candidate in (0..election.candidates.len() as u16).map(CandidateIx) {
            let nation = self.cells(None, candidate, BlockKind::AgeGender, layout.genders * layout.bands);
            let (mut rest_g, mut rest_a) = (by_gender(layout, &nation), by_band(layout, &nation));
            let mut rest_both = nation.clone();
            numbers.push((format!("{candidate:?} all by gender"), rest_g.clone()));
            numbers.push((format!("{candidate:?} all by age"), rest_a.clone()));
            let mut any = [false; 3];
            for region in (0..election.regions.len() as u16).map(RegionIx) {
                let g = self.cells(Some(region), candidate, BlockKind::Gender, layout.genders);
                let a = self.cells(Some(region), candidate, BlockKind::Age, layout.bands);
                let both = self.cells(Some(region), candidate, BlockKind::AgeGender, nation.len());
                for (rest, part) in [(&mut rest_g, &g), (&mut rest_a, &a), (&mut rest_both, &both)] {
                    rest.iter_mut().zip(part).for_each(|(r, p)| *r -= p);
                }
                for (any, part) in any.iter_mut().zip([&g, &a, &both]) {
                    *any |= part.iter().any(|c| *c != 0);
                }
                if both.iter().any(|c| *c != 0) {
                    numbers.push((
                        format!("{candidate:?} {region:?} by gender, apart"),
                        minus(&by_gender(layout, &both), &g),
                    ));
                    numbers.push((
                        format!("{candidate:?} {region:?} by age, apart"),
                        minus(&by_band(layout, &both), &a),
                    ));
                }
                numbers.push((format!("{candidate:?} {region:?} gender"), g));
                numbers.push((format!("{candidate:?} {region:?} age"), a));
                numbers.push((format!("{candidate:?} {region:?} both"), both));
            }
            if nation.iter().any(|c| *c != 0) {
                let rests = [("gender", rest_g), ("age", rest_a), ("both", rest_both)];
                for ((name, rest), any) in rests.into_iter().zip(any) {
                    if any {
                        numbers.push((format!("{candidate:?} rest by {name}"), rest));
                    }
                }
            }
            numbers.push((format!("{candidate:?} all"), nation));
        }
        numbers
    }
}

/// What one answer, or its difference to the one before, tells of fewer than `min_cell` voters.
fn reveals(election: &Election, before: &Public, after: &Public) -> Option<String> {
    let k = election.min_cell as i64;
    let old: BTreeMap<_, _> = before.numbers(election).into_iter().collect();
    for (name, cells) in after.numbers(election) {
        let change = old.get(&name).map_or_else(|| cells.clone(), |old| minus(&cells, old));
        // The sums of a block of the whole election and of a region are votes, which are public.
        let complement = |i: usize| change.iter().sum::<i64>() - change[i];
        let is_block = !name.contains("rest") && !name.contains("apart");
        for i in 0..cells.len() {
            if !is_safe(cells[i], k) || !is_safe(change[i], k) {
                return Some(format!("{name}[{i}] = {} after a change of {}", cells[i], change[i]));
            }
            if is_block && change[i] != 0 && !is_safe(complement(i), k) {
                return Some(format!("{name}: the complement of {i} changed by {}", complement(i)));
            }
        }
    }
    None
}

/// A cell's place: region, candidate, gender, band.
type Place = (usize, usize, usize, usize);

fn place() -> impl Strategy<Value = Place> {
    (0..3_usize, 0..2_usize, 0..3_usize, 0..3_usize)
}

fn add_votes(election: &Election, live: &mut [i64], (region, candidate, gender, band): Place, votes: i64) {
    let layout = election.layout();
    let at = region * layout.cells() + (candidate * layout.genders + gender) * layout.bands + band;
    live[at] = (live[at] + votes).max(0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_answer_and_no_difference_of_two_reveals_a_small_cell(
        ticks in prop::collection::vec(prop::collection::vec((place(), 1_i64..25), 0..12), 1..12),
        complete_from in 0_usize..14,
        min_cell in 1_u64..15,
    ) {
        let election = small(3, min_cell);
        let mut live = vec![0; election.layout().cells() * 3];
        let mut public = Public::default();
        for (tick, votes) in ticks.into_iter().enumerate() {
            for (place, votes) in votes {
                add_votes(&election, &mut live, place, votes);
            }
            let before = public.clone();
            public.publish(plan(&before.0, &live, &election, tick >= complete_from));
            prop_assert_eq!(reveals(&election, &before, &public), None);
        }
    }

    #[test]
    fn nor_where_votes_are_replaced(
        ticks in prop::collection::vec(prop::collection::vec((place(), -20_i64..25), 0..12), 1..12),
        complete_from in 0_usize..14,
    ) {
        let election = small(3, 10);
        let mut live = vec![0; election.layout().cells() * 3];
        let mut public = Public::default();
        for (tick, votes) in ticks.into_iter().enumerate() {
            for (place, votes) in votes {
                add_votes(&election, &mut live, place, votes);
            }
            let before = public.clone();
            public.publish(plan(&before.0, &live, &election, tick >= complete_from));
            prop_assert_eq!(reveals(&election, &before, &public), None);
        }
    }

    #[test]
    fn a_block_only_ever_shows_what_was_counted_when_it_was_released(
        ticks in prop::collection::vec(prop::collection::vec((place(), 1_i64..60), 0..12), 1..8),
    ) {
        let election = small(3, 10);
        let layout = election.layout();
        let mut live = vec![0; layout.cells() * 3];
        let mut public = Public::default();
        for votes in ticks {
            for (place, votes) in votes {
                add_votes(&election, &mut live, place, votes);
            }
            let blocks = plan(&public.0, &live, &election, false);
            for block in &blocks {
                prop_assert!(block.region.is_none() || block.kind != BlockKind::AgeGender, "only when complete");
                let rows: Vec<usize> = block.region.map_or((0..3).collect(), |r| vec![usize::from(r.0)]);
                let votes: i64 = rows.iter().map(|r| {
                    layout.by_candidate(&live[r * layout.cells()..(r + 1) * layout.cells()])[usize::from(block.candidate.0)]
                }).sum();
                prop_assert_eq!(block.cells.iter().sum::<u64>() as i64, votes);
            }
            prop_assert!(blocks.iter().all(|block| !public.0.contains(block)), "what is published is not published again");
            public.publish(blocks);
        }
    }
}

#[test]
fn large_cells_are_published_at_once_and_all_of_them() {
    let election = small(2, 10);
    let live = vec![25; election.layout().cells() * 2];
    let blocks = plan(&[], &live, &election, true);
    // For each candidate: the whole election, and three blocks for each of two regions.
    assert_eq!(blocks.len(), 2 * (1 + 2 * 3));
    assert_eq!(plan(&[], &live, &election, false).len(), 2 * (1 + 2 * 2));
}

#[test]
fn a_block_with_one_small_cell_waits() {
    let election = small(1, 10);
    let mut live = vec![0; election.layout().cells()];
    for (place, votes) in [((0, 0, 0, 0), 50), ((0, 0, 1, 1), 9)] {
        add_votes(&election, &mut live, place, votes);
    }
    assert_eq!(plan(&[], &live, &election, true), []);
    add_votes(&election, &mut live, (0, 0, 1, 1), 1);
    let kinds: Vec<_> =
        plan(&[], &live, &election, true).iter().map(|b| (b.region.is_some(), b.kind)).collect();
    let both = BlockKind::AgeGender;
    assert_eq!(kinds, [(false, both), (true, BlockKind::Gender), (true, BlockKind::Age), (true, both)]);
}

#[test]
fn the_rest_of_the_regions_is_not_told_either() {
    let election = small(2, 10);
    let mut live = vec![0; election.layout().cells() * 2];
    for (place, votes) in [((0, 0, 0, 0), 50), ((0, 0, 1, 1), 50), ((1, 0, 0, 0), 3)] {
        add_votes(&election, &mut live, place, votes);
    }
    // The first region and the whole election could each be published, but not both: their difference is the second region's 3.
    let blocks = plan(&[], &live, &election, false);
    let whole = blocks.iter().filter(|b| b.region.is_none()).count();
    let parts = blocks.iter().filter(|b| b.region.is_some()).count();
    assert!(whole == 0 || parts == 0, "{blocks:?}");
    assert!(!blocks.is_empty());
}

#[test]
fn an_election_without_genders_and_bands_has_no_demographics() {
    let poll = Election::preset("poll").unwrap();
    assert_eq!(plan(&[], &[100, 100, 100], &poll, true), []);
}

#[test]
fn the_whole_preset_is_planned_quickly_and_fully() {
    let election = Election::preset(US_PRESIDENT_2024).unwrap();
    let electorate = crate::electorate::certified(&election).unwrap();
    let layout = election.layout();
    let mut live = Vec::new();
    for votes in electorate.votes.chunks(4) {
        for (candidate, votes) in votes.iter().enumerate() {
            let weights = electorate.shape_of(candidate);
            live.extend(crate::definition::largest_remainder(weights, *votes).into_iter().map(|v| v as i64));
        }
    }
    assert_eq!(live.len(), layout.cells() * 51);
    let blocks = plan(&[], &live, &election, true);
    let whole: u64 = blocks.iter().filter(|b| b.region.is_none()).flat_map(|b| &b.cells).sum();
    assert_eq!(whole, 155_212_715);
    // Stein got no votes in 11 states and the District; everyone else's cells are large.
    let with_votes = electorate.votes.iter().filter(|v| **v > 0).count();
    assert_eq!(blocks.len(), 4 + 3 * with_votes);
}

#[test]
fn the_test_itself_sees_what_a_careless_release_would_reveal() {
    let election = small(2, 10);
    let block = |region: Option<u16>, kind, cells: &[u64]| ReleaseBlock {
        region: region.map(RegionIx),
        candidate: CandidateIx(0),
        kind,
        cells: cells.to_vec(),
    };
    let check = |before: &[ReleaseBlock], after: &[ReleaseBlock], expect: Option<&str>| {
        let mut public = Public(before.to_vec());
        public.publish(after.to_vec());
        let told = reveals(&election, &Public(before.to_vec()), &public);
        assert_eq!(told.is_some(), expect.is_some(), "{told:?}");
        if let Some(expect) = expect {
            assert!(told.as_ref().unwrap().contains(expect), "{told:?}");
        }
    };
    let gender = |cells| block(Some(0), BlockKind::Gender, cells);
    check(&[], &[gender(&[50, 60, 0])], None);
    check(&[], &[gender(&[50, 9, 0])], Some("complement of 0 changed by 9"));
    check(&[gender(&[50, 60, 0])], &[gender(&[50, 61, 0])], Some("change of 1"));
    check(&[gender(&[50, 60, 0])], &[gender(&[62, 50, 0])], None);
    check(&[gender(&[50, 60, 30])], &[gender(&[62, 50, 41])], Some("complement of 0 changed by 1"));
    let both = |cells| block(Some(0), BlockKind::AgeGender, cells);
    let told = [50, 0, 0, 0, 63, 0, 0, 0, 0];
    check(&[gender(&[50, 60, 0])], &[both(&told)], Some("by gender, apart[1] = 3"));
    check(
        &[gender(&[50, 60, 0])],
        &[block(None, BlockKind::AgeGender, &told)],
        Some("rest by gender[1] = 3"),
    );
}
