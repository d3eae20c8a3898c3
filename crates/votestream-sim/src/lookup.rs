//! Two ways from a number to a choice: a cumulative table for exact counts, an alias table for weights.

/// Finds which of several adjoining ranges a number lies in; a guide by the number's leading bits makes it one or two steps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranges {
    ends: Vec<u64>,
    guide: Vec<u32>,
    shift: u32,
}

/// Entries of the guide, at most: with 4 bytes each it stays in the first-level cache.
const GUIDE_BITS: u32 = 12;

impl Ranges {
    /// Ranges of these sizes, one after the other from 0.
    pub(crate) fn new(sizes: impl IntoIterator<Item = u64>) -> Self {
        let mut ranges = Self::default();
        ranges.refill(sizes, GUIDE_BITS);
        ranges
    }

    /// The same in place, with a guide of at most 2^`bits` entries.
    pub(crate) fn refill(&mut self, sizes: impl IntoIterator<Item = u64>, bits: u32) {
        let mut end = 0;
        self.ends.clear();
        self.ends.extend(sizes.into_iter().map(|size| {
            end += size;
            end
        }));
        self.shift = (u64::BITS - end.leading_zeros()).saturating_sub(bits);
        self.guide.clear();
        let mut range = 0;
        for entry in 0..=(end.saturating_sub(1) >> self.shift) {
            while range + 1 < self.ends.len() && self.ends[range] <= entry << self.shift {
                range += 1;
            }
            self.guide.push(range as u32);
        }
    }

    /// All sizes together.
    pub(crate) fn total(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Where a range begins.
    #[inline]
    pub(crate) fn start(&self, range: usize) -> u64 {
        if range == 0 { 0 } else { self.ends[range - 1] }
    }

    /// The range that holds `x`, which must be below the total.
    #[inline]
    pub(crate) fn find(&self, x: u64) -> usize {
        let mut range = self.guide[(x >> self.shift) as usize] as usize;
        while x >= self.ends[range] {
            range += 1;
        }
        range
    }
}

/// Draws one of several choices by weight in constant time (Walker 1977, Vose 1991).
#[derive(Clone, Debug)]
pub(crate) struct Alias {
    /// Of each slot: below which 32-bit draw it keeps its own choice, and the other choice.
    slots: Vec<(u32, u16)>,
}

impl Alias {
    /// A table for at most 65,536 weights, not all 0, none negative.
    pub(crate) fn new(weights: &[f64]) -> Self {
        let slots = weights.len().next_power_of_two();
        let total: f64 = weights.iter().sum();
        let mut scaled: Vec<f64> = weights.iter().map(|weight| weight * slots as f64 / total).collect();
        scaled.resize(slots, 0.0);
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..slots).partition(|slot| scaled[*slot] < 1.0);
        let heaviest =
            (0..weights.len()).fold(0, |best, i| if weights[i] > weights[best] { i } else { best });
        let mut table: Vec<(u32, u16)> = (0..slots)
            .map(|slot| if slot < weights.len() { (u32::MAX, slot as u16) } else { (0, heaviest as u16) })
            .collect();
        while let (Some(low), Some(high)) = (small.pop(), large.last().copied()) {
            table[low] = ((scaled[low] * f64::from(u32::MAX)) as u32, high as u16);
            scaled[high] -= 1.0 - scaled[low];
            if scaled[high] < 1.0 {
                large.pop();
                small.push(high);
            }
        }
        // What rounding leaves in `small` keeps its own choice, unless that is no choice at all.
        Self { slots: table }
    }

    /// The choice that 64 random bits stand for.
    #[inline]
    pub(crate) fn draw(&self, random: u64) -> usize {
        let slot = random as usize & (self.slots.len() - 1);
        let (keep, other) = self.slots[slot];
        if ((random >> 32) as u32) < keep { slot } else { usize::from(other) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ranges_are_found_as_by_counting(sizes in prop::collection::vec(0_u64..5_000, 1..300)) {
            prop_assume!(sizes.iter().sum::<u64>() > 0);
            let ranges = Ranges::new(sizes.iter().copied());
            let naive = sizes.iter().enumerate().flat_map(|(i, size)| std::iter::repeat_n(i, *size as usize));
            for (x, range) in naive.enumerate() {
                prop_assert_eq!(ranges.find(x as u64), range);
            }
            prop_assert_eq!(ranges.total(), sizes.iter().sum::<u64>());
        }
    }

    #[test]
    fn draws_follow_the_weights() {
        let weights = [0.0, 1.0, 5.0, 0.5, 3.5, 0.0];
        let alias = Alias::new(&weights);
        let mut drawn = [0_u32; 6];
        for i in 0..1_000_000 {
            drawn[alias.draw(Seed(5).bits(i))] += 1;
        }
        for (choice, weight) in weights.iter().enumerate() {
            let share = f64::from(drawn[choice]) / 1e6;
            assert!((share - weight / 10.0).abs() < 0.003, "choice {choice}: {share}");
        }
        assert_eq!(drawn[0], 0);
        assert_eq!(drawn[5], 0);
    }
}
