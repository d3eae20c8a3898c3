//! From a voter, a person and a cell to the event's bytes: all text that repeats is made once, and put together by copies of fixed
//! length. Which voter, person and cell is not decided here.

use crate::digits::sixteen;
use crate::people::Person;
use crate::template::{Field, Token, fields, quoted, tokens};
use crate::time_text::Clock;
use votestream_election::{Election, Millis};

/// What an event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ballot {
    /// The voter's id: 16 digits.
    pub(crate) voter: u64,
    /// Number of the kind of person.
    pub(crate) person: usize,
    /// region × candidates + candidate.
    pub(crate) cell: usize,
    pub(crate) moment: Millis,
}

/// Writes events of one election.
#[derive(Clone, Debug)]
pub(crate) struct Encoder {
    steps: Vec<Step>,
    /// Room that the longest event needs, padding of its last piece included; the time apart.
    room: usize,
}

#[derive(Clone, Debug)]
enum Step {
    /// The same text in each event.
    Text(Pieces),
    /// The voter's 16 digits.
    Voter,
    /// Text that depends on the kind of person.
    Person(Pieces),
    /// Text that depends on the cell.
    Cell(Pieces),
    /// The moment.
    Time,
}

/// Texts of about one length, padded so that each is copied in whole blocks.
#[derive(Clone, Debug)]
struct Pieces {
    bytes: Vec<u8>,
    lengths: Vec<u32>,
    stride: usize,
}

/// Bytes copied at once.
const BLOCK: usize = 32;

impl Pieces {
    fn new(texts: &[String]) -> Self {
        let longest = texts.iter().map(String::len).max().unwrap_or(0);
        let stride = longest.next_multiple_of(BLOCK).max(BLOCK);
        let mut bytes = vec![0; stride * texts.len()];
        for (place, text) in bytes.chunks_mut(stride).zip(texts) {
            place[..text.len()].copy_from_slice(text.as_bytes());
        }
        Self { bytes, lengths: texts.iter().map(|text| text.len() as u32).collect(), stride }
    }

    /// Puts text `which` at `at` and returns where it ends; `buffer` has `stride` bytes of room there.
    #[inline]
    fn put(&self, which: usize, buffer: &mut [u8], at: usize) -> usize {
        let from = which * self.stride;
        let text = &self.bytes[from..from + self.stride];
        let room = &mut buffer[at..at + self.stride];
        for (to, from) in room.as_chunks_mut::<BLOCK>().0.iter_mut().zip(text.as_chunks::<BLOCK>().0) {
            *to = *from;
        }
        at + self.lengths[which] as usize
    }
}

impl Encoder {
    pub(crate) fn new(election: &Election, people: &[Person], with_time: bool) -> Self {
        let tokens = tokens(&fields(election, with_time), &mut |field| vec![Token::Slot(field)]);
        let steps: Vec<Step> = group(tokens).into_iter().map(|group| group.step(election, people)).collect();
        let room = steps.iter().map(|step| match step {
            Step::Text(pieces) | Step::Person(pieces) | Step::Cell(pieces) => pieces.stride,
            Step::Voter => 16,
            Step::Time => 0,
        });
        Self { room: room.sum(), steps }
    }

    /// Bytes that a buffer for [`Self::write`] must have.
    pub(crate) fn room(&self, clock: &Clock) -> usize {
        self.room + clock.text_max()
    }

    /// Writes an event at the beginning of `buffer` and returns its length.
    #[inline]
    pub(crate) fn write(
        &self,
        ballot: &Ballot,
        digits: &[u8; 16],
        clock: &mut Clock,
        buffer: &mut [u8],
    ) -> usize {
        let mut at = 0;
        for step in &self.steps {
            at = match step {
                Step::Text(pieces) => pieces.put(0, buffer, at),
                Step::Voter => {
                    buffer[at..at + 16].copy_from_slice(digits);
                    at + 16
                }
                Step::Person(pieces) => pieces.put(ballot.person, buffer, at),
                Step::Cell(pieces) => pieces.put(ballot.cell, buffer, at),
                Step::Time => {
                    let text = clock.text(ballot.moment);
                    buffer[at..at + text.len()].copy_from_slice(text);
                    at + text.len()
                }
            };
        }
        at
    }
}

/// A run of tokens that depend on the same thing.
#[derive(Debug, PartialEq)]
enum Group {
    Text(Vec<Token>),
    Voter,
    Person(Vec<Token>),
    Cell(Vec<Token>),
    Time,
}

/// Cuts an event into as few pieces as there are things that it depends on; constant text joins a neighbour.
fn group(tokens: Vec<Token>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for token in tokens {
        let Token::Slot(field) = token else {
            match groups.last_mut() {
                Some(Group::Person(run) | Group::Cell(run)) => run.push(token),
                _ => groups.push(Group::Text(vec![token])),
            }
            continue;
        };
        let own = match field {
            Field::Voter => Group::Voter,
            Field::Time => Group::Time,
            Field::Gender | Field::Age => Group::Person(vec![token]),
            Field::Region | Field::CandidateName | Field::CandidateId => Group::Cell(vec![token]),
        };
        match (groups.last_mut(), own) {
            (Some(Group::Person(run)), Group::Person(own)) | (Some(Group::Cell(run)), Group::Cell(own)) => {
                run.extend(own);
            }
            (Some(Group::Text(_)), Group::Person(own)) => {
                let mut run = text_of(groups.pop());
                run.extend(own);
                groups.push(Group::Person(run));
            }
            (Some(Group::Text(_)), Group::Cell(own)) => {
                let mut run = text_of(groups.pop());
                run.extend(own);
                groups.push(Group::Cell(run));
            }
            (_, own) => groups.push(own),
        }
    }
    groups
}

fn text_of(group: Option<Group>) -> Vec<Token> {
    match group {
        Some(Group::Text(run)) => run,
        _ => Vec::new(),
    }
}

impl Group {
    fn step(self, election: &Election, people: &[Person]) -> Step {
        let candidates = election.candidates.len();
        match self {
            Self::Voter => Step::Voter,
            Self::Time => Step::Time,
            Self::Text(run) => Step::Text(Pieces::new(&[render(&run, |_| String::new())])),
            Self::Person(run) => {
                let texts: Vec<String> = people
                    .iter()
                    .map(|person| render(&run, |field| person_value(election, person, field)))
                    .collect();
                Step::Person(Pieces::new(&texts))
            }
            Self::Cell(run) => {
                let cells = 0..election.region_rows() * candidates;
                let texts: Vec<String> =
                    cells.map(|cell| render(&run, |field| cell_value(election, cell, field))).collect();
                Step::Cell(Pieces::new(&texts))
            }
        }
    }
}

fn render(run: &[Token], value: impl Fn(Field) -> String) -> String {
    let mut text = String::new();
    for token in run {
        match token {
            Token::Text(constant) => text.push_str(constant),
            Token::Slot(field) => text.push_str(&value(*field)),
        }
    }
    text
}

fn person_value(election: &Election, person: &Person, field: Field) -> String {
    match field {
        Field::Gender => quoted(election.genders.get(person.gender).map_or("Unknown", String::as_str)),
        _ => person.age.to_string(),
    }
}

fn cell_value(election: &Election, cell: usize, field: Field) -> String {
    let candidate = &election.candidates[cell % election.candidates.len()];
    match field {
        Field::CandidateId => quoted(&candidate.id),
        Field::CandidateName => quoted(&candidate.name),
        _ => election
            .regions
            .get(cell / election.candidates.len())
            .map_or("null".to_owned(), |r| quoted(&r.name)),
    }
}

/// The value of one field of a ballot as JSON: for lines that are put together by hand.
pub(crate) fn value(
    election: &Election,
    people: &[Person],
    ballot: &Ballot,
    field: Field,
    clock: &mut Clock,
) -> String {
    match field {
        Field::Voter => String::from_utf8_lossy(&sixteen(ballot.voter)).into_owned(),
        Field::Gender | Field::Age => person_value(election, &people[ballot.person], field),
        Field::Region | Field::CandidateName | Field::CandidateId => cell_value(election, ballot.cell, field),
        Field::Time => String::from_utf8_lossy(clock.text(ballot.moment)).into_owned(),
    }
}
