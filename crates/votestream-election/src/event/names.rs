//! Finding a region, candidate, gender or age band by its name: as written in the definition in a few nanoseconds, else without case and
//! surrounding white space. Which names there are is the election's business.

use std::collections::{BTreeMap, HashMap};

/// A name as it is compared: surrounding white space removed, Unicode lower case.
pub(super) fn normalised(text: &str) -> String {
    text.trim().to_lowercase()
}

/// A set of names, each with the place of what it names. Looked up with open addressing; the order of hashes is never seen.
#[derive(Debug)]
pub(super) struct Names {
    /// Place in `entries` plus one; 0: free. A power of two of them, at most a quarter taken.
    slots: Box<[u32]>,
    multiplier: u64,
    shift: u32,
    entries: Vec<Entry>,
    /// The entries' texts, in their order.
    texts: Vec<Box<[u8]>>,
    longest: usize,
}

/// A text up to 16 bytes long is its print; of a longer one the print tells most others apart.
#[derive(Clone, Copy, Debug)]
struct Entry {
    print: [u64; 2],
    len: u32,
    index: u16,
}

/// Hash multipliers that are tried: the one under which names collide least is kept.
const MULTIPLIERS: u64 = 32;

impl Names {
    /// Where two things share a name, the first has it. Empty names are left out.
    pub(super) fn new<'n>(names: impl IntoIterator<Item = (&'n str, u16)>) -> Self {
        let mut by_normalised: HashMap<String, u16> = HashMap::new();
        let mut spellings: BTreeMap<String, u16> = BTreeMap::new();
        for (name, index) in names {
            let key = normalised(name);
            if key.is_empty() {
                continue;
            }
            let index = *by_normalised.entry(key.clone()).or_insert(index);
            spellings.insert(name.to_owned(), index);
            spellings.insert(key, index);
        }
        let entry = |(text, index): (&String, &u16)| Entry {
            print: print(text.as_bytes(), 0, text.len()),
            len: text.len() as u32,
            index: *index,
        };
        let entries: Vec<Entry> = spellings.iter().map(entry).collect();
        let slots = (spellings.len() * 4).next_power_of_two().max(16);
        let mut names = Self {
            slots: vec![0; slots].into(),
            multiplier: 0,
            shift: 64 - slots.trailing_zeros(),
            entries,
            longest: spellings.keys().map(String::len).max().unwrap_or(0),
            texts: spellings.into_keys().map(|text| text.into_bytes().into()).collect(),
        };
        let multipliers = (1..=MULTIPLIERS).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let best = multipliers.min_by_key(|multiplier| names.fill(*multiplier)).expect("there are some");
        names.fill(best);
        names
    }

    /// Fills the slots under a multiplier: how many entries are not in the first slot that is looked at.
    fn fill(&mut self, multiplier: u64) -> usize {
        self.multiplier = multiplier;
        self.slots.fill(0);
        let mut displaced = 0;
        for (place, entry) in (1..).zip(&self.entries) {
            let mut slot = self.slot(entry.print, entry.len);
            while self.slots[slot] != 0 {
                displaced += 1;
                slot = (slot + 1) & (self.slots.len() - 1);
            }
            self.slots[slot] = place;
        }
        displaced
    }

    #[inline]
    fn slot(&self, print: [u64; 2], len: u32) -> usize {
        let folded = print[0] ^ print[1].rotate_left(23) ^ u64::from(len);
        (folded.wrapping_mul(self.multiplier) >> self.shift) as usize
    }

    /// What `bytes[start..end]` (valid UTF-8) names. `folded` is scratch space.
    #[inline]
    pub(super) fn find(&self, bytes: &[u8], start: usize, end: usize, folded: &mut Vec<u8>) -> Option<u16> {
        match self.exact(bytes, start, end) {
            Some(index) => Some(index),
            None => self.without_case(&bytes[start..end], folded),
        }
    }

    #[inline]
    fn exact(&self, bytes: &[u8], start: usize, end: usize) -> Option<u16> {
        let (print, len) = (print(bytes, start, end), (end - start) as u32);
        let mut slot = self.slot(print, len);
        loop {
            let place = (self.slots[slot] as usize).checked_sub(1)?;
            let entry = &self.entries[place];
            if entry.print == print
                && entry.len == len
                && (len <= 16 || *self.texts[place] == bytes[start..end])
            {
                return Some(entry.index);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    #[cold]
    fn without_case(&self, text: &[u8], folded: &mut Vec<u8>) -> Option<u16> {
        folded.clear();
        if text.is_ascii() {
            let space = |byte: &u8| matches!(byte, b'\t'..=b'\r' | b' ');
            let start = text.iter().position(|byte| !space(byte))?;
            let end = text.iter().rposition(|byte| !space(byte))? + 1;
            if end - start > self.longest {
                return None;
            }
            folded.extend_from_slice(&text[start..end]);
            folded.make_ascii_lowercase();
        } else {
            folded.extend_from_slice(normalised(std::str::from_utf8(text).ok()?).as_bytes());
        }
        self.exact(folded, 0, folded.len())
    }
}

/// The text itself, followed by zeros, where it is at most 16 bytes long; else a mixture of its first and last 16.
#[inline]
fn print(bytes: &[u8], start: usize, end: usize) -> [u64; 2] {
    let len = end - start;
    let (text, bytes) = (&bytes[start..], &bytes[..end]);
    if let Some(mask) = MASKS.get(len) {
        if let Some(block) = text.first_chunk::<16>() {
            let block = words(block);
            return [block[0] & mask[0], block[1] & mask[1]];
        }
        if let Some(block) = bytes.last_chunk::<16>() {
            // Near the end of the bytes: those before the text are moved out.
            let block = u128::from_le_bytes(*block).unbounded_shr(8 * (16 - len as u32));
            return [block as u64, (block >> 64) as u64];
        }
        let mut padded = [0; 16];
        padded[..len].copy_from_slice(&text[..len]);
        return words(&padded);
    }
    match (text.first_chunk::<16>(), bytes.last_chunk::<16>()) {
        (Some(head), Some(tail)) => {
            let (head, tail) = (words(head), words(tail));
            [head[0] ^ tail[0].rotate_left(17), head[1] ^ tail[1].rotate_left(41)]
        }
        _ => [0, 0],
    }
}

#[inline]
fn words(block: &[u8; 16]) -> [u64; 2] {
    let word = u128::from_le_bytes(*block);
    [word as u64, (word >> 64) as u64]
}

/// The lowest bytes of sixteen, none to all of them.
const MASKS: [[u64; 2]; 17] = masks();

const fn masks() -> [[u64; 2]; 17] {
    let mut masks = [[0; 2]; 17];
    let mut len = 1;
    while len <= 16 {
        let mask = u128::MAX >> (8 * (16 - len));
        masks[len] = [mask as u64, (mask >> 64) as u64];
        len += 1;
    }
    masks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(names: &Names, text: &str) -> Option<u16> {
        let framed = format!("{{\"state\":\"{text}\"}}");
        let inside = names.find(framed.as_bytes(), 10, 10 + text.len(), &mut Vec::new());
        assert_eq!(
            names.find(text.as_bytes(), 0, text.len(), &mut Vec::new()),
            inside,
            "{text}: wherever it lies"
        );
        inside
    }

    #[test]
    fn names_are_found_without_case_and_surrounding_space() {
        let long = "The Independent and Sovereign Commonwealth of Somewhere";
        let names = Names::new([
            ("OH", 0),
            ("Ohio", 0),
            ("DC", 1),
            ("District of Columbia", 1),
            ("Ås", 2),
            (long, 3),
            ("ΟΔΟΣ", 4),
        ]);
        for (text, expect) in [
            ("OH", Some(0)),
            ("oh", Some(0)),
            ("oHiO", Some(0)),
            (" \t\u{b}Ohio \r\n", Some(0)),
            ("\u{a0}Ohio\u{3000}", Some(0)),
            ("O hio", None),
            ("Ohi", None),
            ("Ohioo", None),
            ("", None),
            ("   ", None),
            ("DISTRICT OF COLUMBIA", Some(1)),
            ("District of  Columbia", None),
            ("District of Colombia", None),
            ("ås", Some(2)),
            ("ÅS", Some(2)),
            (long, Some(3)),
            (&long.to_uppercase(), Some(3)),
            (&long.replace("Sovereign", "sovereigm"), None),
            ("οδος", Some(4)),
            ("ΟΔΟΣ", Some(4)),
        ] {
            assert_eq!(find(&names, text), expect, "{text:?}");
        }
    }

    #[test]
    fn of_two_that_share_a_name_the_first_has_it_in_every_spelling() {
        let names = Names::new([("west", 7), ("WEST", 9), ("", 3)]);
        assert_eq!([find(&names, "west"), find(&names, "WEST"), find(&names, "West")], [Some(7); 3]);
        assert_eq!(find(&names, ""), None);
    }

    #[test]
    fn thousands_of_names_are_each_found() {
        let texts: Vec<String> = (0..5000).map(|i| format!("Gemeinde {i}")).collect();
        let names = Names::new(texts.iter().zip(0..).map(|(text, i)| (text.as_str(), i)));
        for (text, i) in texts.iter().zip(0..) {
            assert_eq!(find(&names, text), Some(i));
            assert_eq!(find(&names, &text.to_uppercase()), Some(i));
        }
        assert_eq!(find(&names, "Gemeinde 5000"), None);
    }
}
