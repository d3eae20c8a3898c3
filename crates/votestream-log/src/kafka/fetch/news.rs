//! What there is to tell those who wait for records: whether there are any, and if not, why not.

use super::state::State;
use votestream_election::Offset;

/// What is seen of a partition's readers at one place.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    read: bool,
    /// One of them has something to be read there.
    there: bool,
    /// One of them was fetched to that place, and no further.
    starving: bool,
}

impl State {
    /// Whether a partition has something beyond its place in `past` for its readers: records, a failure, or a last stable offset that
    /// nobody was woken for yet. Of partitions that nobody reads the last stable offset alone counts.
    pub(super) fn has_past(&mut self, past: &[Offset]) -> bool {
        let wanted = |past: &Offset| past.0 != u64::MAX;
        let mut seen = vec![Seen::default(); self.parts.len()];
        for feed in self.feeds.values() {
            let at = feed.partition.0 as usize;
            let (Some(seen), Some(past)) = (seen.get_mut(at), past.get(at)) else { continue };
            seen.read = true;
            if feed.failed.is_some() && wanted(past) {
                return true;
            }
            if feed.holds(*past) {
                seen.there = true;
            } else if feed.position == *past {
                seen.starving = true;
            }
        }
        let mut found = false;
        for ((part, past), seen) in self.parts.iter_mut().zip(past).zip(seen) {
            if !wanted(past) {
                continue;
            }
            // What another reader of the partition holds does not help one that stands at its end.
            found |= seen.there && !seen.starving;
            if part.stable > *past && (!seen.read || part.stable > part.told) {
                part.told = part.stable;
                found = true;
            }
        }
        found
    }

    /// The partitions wanted by `past` that nobody reads: of them nothing is heard unless the brokers are asked.
    pub(super) fn unread(&self, past: &[Offset]) -> bool {
        past.iter().enumerate().any(|(at, past)| {
            past.0 != u64::MAX && !self.feeds.values().any(|feed| feed.partition.0 as usize == at)
        })
    }

    /// Why something that is read cannot be at the moment.
    pub(super) fn trouble(&self) -> Option<String> {
        if let Some(trouble) = self.node_trouble.values().next().or(self.metadata_trouble.as_ref()) {
            return Some(trouble.clone());
        }
        self.feeds.values().find_map(|feed| {
            let part = self.parts.get(feed.partition.0 as usize)?;
            match (&part.trouble, part.leader) {
                (Some(trouble), _) => Some(trouble.clone()),
                (None, None) => Some(format!(
                    "partition {} of topic \"{}\" has no leader at the moment",
                    feed.partition, self.topic
                )),
                (None, Some(_)) => None,
            }
        })
    }
}
