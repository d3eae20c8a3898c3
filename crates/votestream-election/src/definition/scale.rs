//! An election on a smaller or larger scale: whole votes in proportion, by largest remainder.

use crate::election::Election;
use crate::electorate;

impl Election {
    /// The same election with `total` votes: each region's (and, where certified figures are known, each candidate's) share by largest
    /// remainder, ties in the definition's order. The expected votes are exact then. Without figures for the regions only the total is set.
    #[must_use]
    pub fn scaled(&self, total: u64) -> Self {
        let mut scaled = self.clone();
        let whole = self.expected;
        scaled.expected = Some(total);
        scaled.expected_exact = true;
        if let Some(electorate) = electorate::certified(&scaled) {
            for (region, votes) in
                scaled.regions.iter_mut().zip(electorate.votes.chunks(electorate.candidates))
            {
                region.expected = Some(votes.iter().sum());
            }
        } else if !self.regions.is_empty() {
            let weights: Vec<u64> = self.regions.iter().map(|r| r.expected.unwrap_or(0)).collect();
            // Nothing known of the regions: equal parts.
            let weights = if weights.iter().all(|w| *w == 0) { vec![1; weights.len()] } else { weights };
            for (region, votes) in scaled.regions.iter_mut().zip(largest_remainder(&weights, total)) {
                region.expected = Some(votes);
            }
        }
        for region in &mut scaled.regions {
            // A ceiling that the scaled expectation passes says nothing any more.
            region.registered =
                region.registered.filter(|registered| region.expected.is_none_or(|e| e <= *registered));
        }
        if self.simulated && whole.is_some_and(|whole| whole != total) {
            scaled.note = Some(note(self, whole.unwrap_or(0), total));
        }
        scaled
    }
}

/// The sentence for the page's method section.
fn note(election: &Election, whole: u64, total: u64) -> String {
    let parts = if election.regions.is_empty() { "each candidate" } else { "each state and candidate" };
    let ratio = whole as f64 / total.max(1) as f64;
    let tenth = (ratio - ratio.round()).abs() < 1e-4 && ratio >= 1.5;
    let scale = match ratio.round() as u64 {
        2 if tenth => "One ballot in two".to_owned(),
        3 if tenth => "One ballot in three".to_owned(),
        4 if tenth => "One ballot in four".to_owned(),
        5 if tenth => "One ballot in five".to_owned(),
        10 if tenth => "One ballot in ten".to_owned(),
        100 if tenth => "One ballot in a hundred".to_owned(),
        1_000 if tenth => "One ballot in a thousand".to_owned(),
        n if tenth => format!("One ballot in {n}"),
        _ => format!("{} of the {} ballots", grouped(total), grouped(whole)),
    };
    let kept = election.note.as_deref().map(|note| format!(" {note}")).unwrap_or_default();
    let text = format!("{scale} of {parts}, by largest remainder.{kept}");
    // Notes have at most 500 bytes.
    if text.len() <= 500 { text } else { format!("{scale} of {parts}, by largest remainder.") }
}

/// A number with its thousands grouped by commas, as a sentence for people has it.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Splits `total` in proportion to `weights`: each part is rounded down, what is left goes to the largest remainders, ties to the
/// first. The parts add up to `total` exactly, unless all weights are 0: then all parts are 0. (Hamilton's method.)
pub(crate) fn largest_remainder(weights: &[u64], total: u64) -> Vec<u64> {
    let sum: u128 = weights.iter().map(|w| u128::from(*w)).sum();
    if sum == 0 {
        return vec![0; weights.len()];
    }
    let exact = |w: &u64| u128::from(*w) * u128::from(total);
    let mut parts: Vec<u64> = weights.iter().map(|w| (exact(w) / sum) as u64).collect();
    let left = total - parts.iter().sum::<u64>();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(exact(&weights[i]) % sum), i));
    for &i in order.iter().take(left as usize) {
        parts[i] += 1;
    }
    parts
}
