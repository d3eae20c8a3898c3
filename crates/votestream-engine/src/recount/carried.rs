//! What an archive carries of rows that were pruned, in the form in which a recount goes on from it.

use crate::EngineError;
use votestream_archive::Archive;
use votestream_archive::manifest::{CarriedEntry, CellSum};
use votestream_election::ids::{BandIx, CandidateIx, GenderIx};
use votestream_election::partitioner::PartitionerSet;
use votestream_election::recount::Carried;
use votestream_election::{Election, PartitionId, RejectReason};

/// What is carried of a partition; none where nothing was pruned.
pub(super) fn of(
    election: &Election,
    archive: &Archive,
    partition: PartitionId,
    partitioners: PartitionerSet,
) -> Result<Option<Carried>, EngineError> {
    let there = archive.partition(partition);
    if there.carried.is_empty() {
        return Ok(None);
    }
    let other = |what: String| EngineError::OtherArchive { url: archive.url(), what };
    let cells = vec![0; election.layout().cells() * election.region_rows()];
    let mut sum = Carried { cells, ..Carried::default() };
    for entry in &there.carried {
        if !entry.suits(partitioners) {
            return Err(other(format!(
                "was pruned (offsets {}..{} of partition {partition}) when other partitioners were possible than the store was left with ({}), so that other votes were taken for misrouted; recount from the log",
                entry.from,
                entry.to,
                partitioners.to_text()
            )));
        }
        for cell in &entry.cells {
            let index = index(election, cell).ok_or_else(|| {
                other(format!("carries votes of a cell that the election does not have: {cell:?}"))
            })?;
            sum.cells[index] += cell.votes as i64;
        }
        add(&mut sum, entry);
    }
    let end = there.rows_from().0 / votestream_election::ledger::LEAF_OFFSETS;
    sum.leaves = there.leaves().into_iter().take_while(|leaf| leaf.number < end).collect();
    Ok(Some(sum))
}

fn add(sum: &mut Carried, entry: &CarriedEntry) {
    for leaf in &entry.leaves {
        sum.counts.counted += leaf.counted;
        sum.counts.duplicate += leaf.duplicate;
        for (name, records) in &leaf.rejected {
            let Some(reason) = RejectReason::from_name(name) else { continue };
            sum.counts.rejected += records;
            match sum.rejects.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, all)) => *all += records,
                None => sum.rejects.push((reason, *records)),
            }
        }
    }
    sum.counts.skipped += entry.to - entry.from - entry.records();
}

/// A cell's number among all, region-major.
fn index(election: &Election, cell: &CellSum) -> Option<usize> {
    let layout = election.layout();
    let region = match &cell.region {
        Some(code) => election.regions.iter().position(|region| region.code == *code)?,
        None => 0,
    };
    let candidate = election.candidates.iter().position(|candidate| candidate.id == cell.candidate)?;
    let gender = election.genders.iter().position(|gender| *gender == cell.gender)?;
    let band = match &cell.age_band {
        Some(label) => election.bands.iter().position(|band| band.label == *label)?,
        None => layout.bands - 1,
    };
    let cell = layout.index(CandidateIx(candidate as u16), GenderIx(gender as u8), BandIx(band as u8));
    Some(region * layout.cells() + cell)
}
