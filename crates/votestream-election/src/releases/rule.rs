//! The rule of the smallest cell, and the sums of a block by which it is applied.

use crate::cells::CellLayout;

/// Whether a number tells of nobody, or of at least `min_cell` voters.
pub(super) fn is_safe(change: i64, min_cell: i64) -> bool {
    change == 0 || change.abs() >= min_cell
}

/// Whether each of these numbers is safe.
pub(super) fn all_safe(changes: &[i64], min_cell: i64) -> bool {
    changes.iter().all(|change| is_safe(*change, min_cell))
}

/// Whether a block may go from `old` to `new`: each changed cell and its complement (what else changed, which is known from the
/// candidate's live votes) moved by at least `min_cell`, and no cell is small itself, as one could become where votes are replaced.
pub(super) fn may_change(old: &[i64], new: &[i64], min_cell: i64) -> bool {
    if old == new {
        return true;
    }
    let changes = minus(new, old);
    let moved: i64 = changes.iter().sum();
    let moves =
        changes.iter().filter(|c| **c != 0).all(|c| c.abs() >= min_cell && is_safe(moved - c, min_cell));
    moves && all_safe(new, min_cell)
}

/// a − b, cell by cell.
pub(super) fn minus(a: &[i64], b: &[i64]) -> Vec<i64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// a + b, cell by cell, in place.
pub(super) fn add(a: &mut [i64], b: &[i64]) {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
}

/// Sums by gender of gender × band.
pub(super) fn by_gender(layout: CellLayout, cells: &[i64]) -> Vec<i64> {
    cells.chunks(layout.bands).map(|bands| bands.iter().sum()).collect()
}

/// Sums by band of gender × band.
pub(super) fn by_band(layout: CellLayout, cells: &[i64]) -> Vec<i64> {
    let mut sums = vec![0; layout.bands];
    cells.chunks(layout.bands).for_each(|bands| add(&mut sums, bands));
    sums
}
