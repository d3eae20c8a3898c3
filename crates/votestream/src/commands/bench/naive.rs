//! The reference for the whole path: the count that one would write in an afternoon. One thread, serde_json, hash maps, one vote per
//! voter, nothing kept on disk, nothing checked beyond what the types say.

use super::clock::{Cost, Watch};
use std::collections::{HashMap, HashSet};
use votestream_sim::Simulation;

/// Most records it is given: it is slow.
const RECORDS_MAX: u64 = 5_000_000;
/// Records generated, off the clock, before they are counted, on it.
const CHUNK: u64 = 65_536;

/// The fields of a vote.
#[derive(serde::Deserialize)]
pub struct Event<'a> {
    /// Who votes.
    pub id: u64,
    /// As in the record.
    pub gender: &'a str,
    /// Whole years.
    pub age: u16,
    /// The region's name.
    pub state: &'a str,
    /// The candidate's name.
    pub decision: &'a str,
}

#[derive(Default)]
struct Count {
    voters: HashSet<u64>,
    states: HashMap<String, HashMap<String, u64>>,
    people: HashMap<(String, u16), u64>,
}

impl Count {
    fn line(&mut self, line: &[u8]) {
        let Ok(event) = serde_json::from_slice::<Event<'_>>(line) else { return };
        if !self.voters.insert(event.id) {
            return;
        }
        if !self.states.contains_key(event.state) {
            self.states.insert(event.state.to_owned(), HashMap::new());
        }
        if let Some(state) = self.states.get_mut(event.state) {
            match state.get_mut(event.decision) {
                Some(votes) => *votes += 1,
                None => drop(state.insert(event.decision.to_owned(), 1)),
            }
        }
        *self.people.entry((event.gender.to_owned(), event.age)).or_default() += 1;
    }
}

/// Counts the first records of the simulation; how many votes it found and what that took.
pub fn count(simulation: &Simulation) -> (u64, Cost) {
    let records = simulation.records().min(RECORDS_MAX);
    let mut cursor = simulation.cursor_until(0, records);
    let mut count = Count::default();
    let mut cost = Cost::ZERO;
    let mut lines = Vec::new();
    loop {
        lines.clear();
        let end = cursor.position() + CHUNK;
        while cursor.position() < end && cursor.next_into(&mut lines).is_some() {
            lines.push(b'\n');
        }
        if lines.is_empty() {
            break;
        }
        let watch = Watch::start();
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            count.line(line);
        }
        cost.add(watch.cost());
    }
    let states = count.states.values().flat_map(HashMap::values).sum::<u64>();
    debug_assert_eq!(states, count.people.values().sum::<u64>());
    (states, cost)
}
