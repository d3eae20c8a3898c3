//! Lines that are no vote, one way or another: for every reason that an election can give, several ways to earn it. Each line has one
//! reason that comes first; none holds a line break, none is blank. Where such lines lie in the stream is `faults`'s business.

use crate::encode::{Ballot, value};
use crate::people::Person;
use crate::template::{Field, Token, fields, quoted, tokens};
use crate::time_text::Clock;
use votestream_election::election::FieldPath;
use votestream_election::{Election, Millis, RejectReason};

/// Longest value that is not too large, in bytes.
const VALUE_BYTES_MAX: usize = 65_536;
/// Only each eighth turn of `too_large` is one, lest a few long lines outweigh all votes; the others are `malformed`.
const TOO_LARGE_TURNS: u64 = 8;
const DAY_MS: i64 = 86_400_000;

/// Writes invalid lines for one election.
#[derive(Clone, Debug)]
pub(crate) struct Invalid {
    /// Reasons that the election can give, in the order of judging.
    reasons: Vec<RejectReason>,
    fields: Vec<(FieldPath, Field)>,
    eligible_age: u16,
    voting_hours: Option<(Millis, Millis)>,
    /// Texts that name nothing: no region, candidate or gender.
    nothing: String,
}

/// A ballot to be spoilt, and all that writing it takes.
pub(crate) struct Draft<'a> {
    pub(crate) election: &'a Election,
    pub(crate) people: &'a [Person],
    pub(crate) ballot: Ballot,
    pub(crate) clock: &'a mut Clock,
    /// Decides among ways to spoil it.
    pub(crate) random: u64,
}

impl Invalid {
    pub(crate) fn new(election: &Election) -> Self {
        let fields = fields(election, true);
        let has = |field| fields.iter().any(|(_, f)| *f == field);
        let ages_matter = !election.bands.is_empty() || election.eligible_age.is_some();
        let can = |reason: &RejectReason| match reason {
            RejectReason::TooLarge
            | RejectReason::Malformed
            | RejectReason::MissingId
            | RejectReason::InvalidId
            | RejectReason::UnknownCandidate => true,
            RejectReason::UnknownRegion => has(Field::Region),
            RejectReason::InvalidAge => has(Field::Age) && ages_matter,
            RejectReason::UnderAge => has(Field::Age) && election.eligible_age.is_some_and(|age| age > 0),
            RejectReason::InvalidGender => has(Field::Gender),
            RejectReason::InvalidTime => has(Field::Time),
            RejectReason::OutsideVotingHours => has(Field::Time) && election.voting_hours.is_some(),
            // A matter of where a record lies, not of what it says.
            RejectReason::Misrouted => false,
        };
        Self {
            reasons: RejectReason::ALL.into_iter().filter(can).collect(),
            eligible_age: election.eligible_age.unwrap_or(0),
            voting_hours: election.voting_hours,
            nothing: unused_name(election),
            fields,
        }
    }

    /// The reason that the invalid record of that ordinal earns.
    pub(crate) fn reason(&self, ordinal: u64) -> RejectReason {
        let turns = self.reasons.len() as u64;
        match self.reasons[(ordinal % turns) as usize] {
            RejectReason::TooLarge if !(ordinal / turns).is_multiple_of(TOO_LARGE_TURNS) => {
                RejectReason::Malformed
            }
            reason => reason,
        }
    }

    /// The invalid record of that ordinal.
    pub(crate) fn write(&self, ordinal: u64, draft: Draft<'_>, out: &mut Vec<u8>) {
        let turn = (ordinal / self.reasons.len() as u64) as usize;
        let reason = self.reason(ordinal);
        let mut form = Form::new(&self.fields, draft);
        // Each other turn has a second fault, which would be judged later than the first.
        if turn % 2 == 1 {
            self.spoil_later(reason, &mut form);
        }
        match reason {
            RejectReason::TooLarge => return too_large(&form, out),
            RejectReason::Malformed => return malformed(turn, &form, out),
            RejectReason::MissingId => form.set(Field::Voter, pick(turn, &["", "null"])),
            RejectReason::InvalidId => form.set(Field::Voter, &invalid_id(turn)),
            RejectReason::UnknownRegion => form.set(Field::Region, &self.unknown(turn)),
            RejectReason::UnknownCandidate => {
                form.set(Field::CandidateId, &self.unknown(turn));
                form.set(Field::CandidateName, &self.unknown(turn));
            }
            RejectReason::InvalidAge => {
                form.set(
                    Field::Age,
                    pick(turn, &["-1", "151", "41.5", "41.0", "4e1", "true", "\"ageless\"", "[41]"]),
                );
            }
            RejectReason::UnderAge => {
                let youth = [self.eligible_age - 1, self.eligible_age / 2, 0][turn % 3];
                form.set(Field::Age, &youth.to_string());
            }
            RejectReason::InvalidGender => {
                form.set(Field::Gender, pick(turn, &[&quoted(&self.nothing), "7", "true"]));
            }
            RejectReason::InvalidTime => {
                form.set(
                    Field::Time,
                    pick(turn, &["\"yesterday\"", "\"2024-13-45T99:00:00Z\"", "true", "{}"]),
                );
            }
            RejectReason::OutsideVotingHours => form.set_time(self.outside(turn)),
            RejectReason::Misrouted => {}
        }
        out.extend_from_slice(form.text().as_bytes());
    }

    /// Writes a valid record cut off somewhere.
    pub(crate) fn write_torn(&self, draft: Draft<'_>, out: &mut Vec<u8>) {
        torn(&Form::new(&self.fields, draft), out);
    }

    /// A value that names no region, candidate or gender.
    fn unknown(&self, turn: usize) -> String {
        pick(turn, &[&quoted(&self.nothing), "", "null", "7", "\"\"", "{}"]).to_owned()
    }

    fn outside(&self, turn: usize) -> Millis {
        let (from, to) = self.voting_hours.unwrap_or_default();
        if turn.is_multiple_of(2) { Millis(to.0 + DAY_MS) } else { Millis(from.0 - DAY_MS) }
    }

    /// Adds a fault that is judged after `reason`.
    fn spoil_later(&self, reason: RejectReason, form: &mut Form<'_>) {
        if reason < RejectReason::InvalidAge && self.reasons.contains(&RejectReason::InvalidAge) {
            form.set(Field::Age, "-7");
        } else if reason < RejectReason::InvalidGender && self.reasons.contains(&RejectReason::InvalidGender)
        {
            form.set(Field::Gender, &quoted(&self.nothing));
        } else if reason < RejectReason::UnknownCandidate {
            form.set(Field::CandidateId, "");
            form.set(Field::CandidateName, "");
        }
    }
}

/// A record's fields as JSON texts, to be spoilt one by one; an empty text leaves the field out.
struct Form<'a> {
    fields: &'a [(FieldPath, Field)],
    values: Vec<String>,
    clock: &'a mut Clock,
    random: u64,
}

impl<'a> Form<'a> {
    fn new(fields: &'a [(FieldPath, Field)], draft: Draft<'a>) -> Self {
        let Draft { election, people, ballot, clock, random } = draft;
        let values =
            fields.iter().map(|(_, field)| value(election, people, &ballot, *field, clock)).collect();
        Self { fields, values, clock, random }
    }

    fn set(&mut self, field: Field, json: &str) {
        for ((_, own), value) in self.fields.iter().zip(&mut self.values) {
            if *own == field {
                json.clone_into(value);
            }
        }
    }

    fn set_time(&mut self, moment: Millis) {
        let text = String::from_utf8_lossy(self.clock.text(moment)).into_owned();
        self.set(Field::Time, &text);
    }

    fn text(&self) -> String {
        let kept: Vec<(FieldPath, usize)> =
            self.fields.iter().zip(0..).map(|((path, _), i)| (path.clone(), i)).collect();
        let kept: Vec<_> = kept.into_iter().filter(|(_, i)| !self.values[*i].is_empty()).collect();
        let tokens = tokens(&kept, &mut |i: usize| vec![Token::Text(self.values[i].clone())]);
        tokens
            .into_iter()
            .map(|token| if let Token::Text(text) = token { text } else { String::new() })
            .collect()
    }
}

fn pick<'a>(turn: usize, ways: &[&'a str]) -> &'a str {
    ways[turn % ways.len()]
}

fn invalid_id(turn: usize) -> String {
    let long = format!("\"{}\"", "9".repeat(129));
    let ways =
        ["-5", "12.0", "1e15", "18446744073709551616", "true", "\"\"", &long, "[12]", "{\"id\":12}", "-0.5"];
    pick(turn, &ways).to_owned()
}

/// A valid vote but for its length.
fn too_large(form: &Form<'_>, out: &mut Vec<u8>) {
    let text = form.text();
    let body = text.strip_suffix('}').unwrap_or(&text);
    out.extend_from_slice(body.as_bytes());
    out.extend_from_slice(b",\"padding\":\"");
    let beyond = out.len() + VALUE_BYTES_MAX - body.len() + form.random as usize % 1_000;
    out.resize(beyond, b'x');
    out.extend_from_slice(b"\"}");
}

fn malformed(turn: usize, form: &Form<'_>, out: &mut Vec<u8>) {
    let text = form.text();
    let body = text.strip_suffix('}').unwrap_or(&text).as_bytes();
    let mut put = |parts: &[&[u8]]| parts.iter().for_each(|part| out.extend_from_slice(part));
    match turn % 13 {
        0 => torn(form, out),
        1 => put(&[body, b",\"note\":\"\xff\xfe\"}"]),
        2 => put(&[b"null"]),
        3 => put(&[b"[", text.as_bytes(), b"]"]),
        4 => put(&[b"\"a vote\""]),
        5 => put(&[text.as_bytes(), text.as_bytes()]),
        6 => put(&[text.replace('"', "'").as_bytes()]),
        7 => put(&[body, b",\"note\":\"\x01\"}"]),
        8 => put(&[body, b",}"]),
        9 => put(&[body, b",\"note\":NaN}"]),
        10 => put(&[b"42"]),
        11 => put(&[b"this is not a vote"]),
        _ => put(&[text.as_bytes(), b"]"]),
    }
}

/// A record of which only the beginning arrived.
fn torn(form: &Form<'_>, out: &mut Vec<u8>) {
    let text = form.text();
    let kept = 1 + (form.random >> 8) as usize % (text.len() - 1).max(1);
    out.extend_from_slice(&text.as_bytes()[..kept.min(text.len() - 1)]);
}

/// A name that the election does not know.
fn unused_name(election: &Election) -> String {
    let regions = election.regions.iter().flat_map(|r| [&r.code, &r.name]);
    let candidates = election.candidates.iter().flat_map(|c| [&c.id, &c.name]);
    let known: Vec<String> =
        regions.chain(candidates).chain(&election.genders).map(|n| n.to_lowercase()).collect();
    let mut name = String::from("Nowhere");
    while known.contains(&name.to_lowercase()) {
        name.push('!');
    }
    name
}
