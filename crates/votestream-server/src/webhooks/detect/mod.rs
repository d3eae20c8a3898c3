//! What happened between one look at the public results and the next. Pure: no clock, no network; time is handed in.
//!
//! The first look at an election raises nothing: what it shows is where telling begins. Nothing flaps: what changes to and fro is told
//! when it has lasted [`Rules::settle`], and the same thing of the same place again only after [`Rules::gap`]; what it came to is told
//! in any case.

mod settled;

#[cfg(test)]
mod tests;

use super::WebhookError;
use super::event::{Event, Person, Place, Window};
use crate::limits::{WEBHOOK_GAP, WEBHOOK_REJECT_RATE, WEBHOOK_REJECT_WINDOW, WEBHOOK_SETTLE, WEBHOOK_STALE};
use settled::Settled;
use std::collections::HashMap;
use std::time::Duration;
use votestream_election::results::{CountStatus, RegionResult, RegionStatus, Results};

/// A part of rejects above the threshold is back when it is at most this part of the threshold.
const REJECT_RATE_BACK: f64 = 0.8;

/// What counts as an event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// Above this part of rejected records, from 0 to 1, `reject_rate` is raised.
    pub reject_rate: f64,
    /// Over windows of at least this many records.
    pub reject_window: u64,
    /// How long no commit may come while votes are awaited.
    pub stale: Duration,
    /// How long a lead, or the taking back of something told, must last.
    pub settle: Duration,
    /// Least time between two changes told of one place.
    pub gap: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            reject_rate: WEBHOOK_REJECT_RATE,
            reject_window: WEBHOOK_REJECT_WINDOW,
            stale: WEBHOOK_STALE,
            settle: WEBHOOK_SETTLE,
            gap: WEBHOOK_GAP,
        }
    }
}

impl Rules {
    pub(super) fn validate(&self) -> Result<(), WebhookError> {
        if !(0.0..1.0).contains(&self.reject_rate) {
            return Err(WebhookError::Rule(
                "--webhook-reject-rate must be at least 0 and below 1, such as 0.05",
            ));
        }
        if self.reject_window == 0 {
            return Err(WebhookError::Rule("--webhook-reject-window must be at least 1 record"));
        }
        if self.stale < Duration::from_secs(1) {
            return Err(WebhookError::Rule("--webhook-stale-seconds must be at least 1"));
        }
        Ok(())
    }
}

/// What a look at an election showed.
#[derive(Clone, Copy)]
pub(crate) struct Look<'a> {
    /// The newest public results.
    pub(crate) results: &'a Results,
    /// Records judged in all, of withheld regions too; told to nobody.
    pub(crate) records: u64,
    /// Records in the log that are not counted, as far as is known.
    pub(crate) backlog: u64,
}

/// What was told of one election.
pub(crate) struct Detector {
    rules: Rules,
    all: Told,
    regions: HashMap<String, Told>,
    complete: Settled<()>,
    fresh: Freshness,
    rejects: Rejects,
}

/// What was told of one place.
struct Told {
    leader: Settled<String>,
    winner: Settled<String>,
}

/// Nothing yet, as of a region that was not public before.
impl Default for Told {
    fn default() -> Self {
        Self { leader: Settled::default(), winner: Settled::eager(None) }
    }
}

/// When the last commit of counted records was seen: acts of the desk and releases of groups move the results' time as well.
struct Freshness {
    records: u64,
    moved: Duration,
    awaited: bool,
    /// What may be told of it.
    backlog: Option<u64>,
    stale: bool,
}

/// Where the window of rejects begins.
struct Rejects {
    records: u64,
    rejected: u64,
    above: bool,
}

impl Detector {
    /// After the first look, at `now` on a clock that only goes forward.
    pub(crate) fn new(rules: Rules, now: Duration, look: &Look<'_>) -> Self {
        let results = look.results;
        let told = |region: &RegionResult| {
            let told = Told {
                leader: Settled::begin(region.leader.clone()),
                winner: Settled::eager(winner_of(region).map(str::to_owned)),
            };
            (region.code.clone(), told)
        };
        Self {
            rules,
            all: Told {
                leader: Settled::begin(results.leader.clone()),
                winner: Settled::eager(results.winner.clone()),
            },
            regions: results.regions.iter().map(told).collect(),
            complete: Settled::eager(is_complete(results)),
            fresh: Freshness {
                records: look.records,
                moved: now,
                awaited: awaited(look),
                backlog: told_backlog(look),
                stale: false,
            },
            rejects: Rejects { records: look.records, rejected: results.rejected, above: false },
        }
    }

    /// What happened since the last look.
    pub(crate) fn look(&mut self, now: Duration, look: &Look<'_>) -> Vec<Event> {
        let mut events = Vec::new();
        let results = look.results;
        events.extend(self.fresh.look(&self.rules, now, look));
        for region in &results.regions {
            let told = self.regions.entry(region.code.clone()).or_default();
            let seen = Standing {
                leader: region.leader.as_deref(),
                winner: winner_of(region),
                margin_votes: region.margin_votes,
                seats: Some(region.seats),
                by: if region.status == RegionStatus::Closed { "desk" } else { "margin" },
            };
            told.look(&self.rules, now, (results, &Place::region(region)), &seen, &mut events);
        }
        let by = match (results.election.seats_to_win, results.closed) {
            (Some(_), _) => "seats",
            (None, true) => "desk",
            (None, false) => "margin",
        };
        let seen = Standing {
            leader: results.leader.as_deref(),
            winner: results.winner.as_deref(),
            margin_votes: results.margin_votes,
            seats: None,
            by,
        };
        self.all.look(&self.rules, now, (results, &Place::all(results)), &seen, &mut events);
        events.extend(self.rejects.look(&self.rules, look));
        if self.complete.look(&self.rules, now, is_complete(results)).is_some()
            && self.complete.told().is_some()
        {
            let winner = results.winner.as_deref().and_then(|id| Person::of(results, id));
            events.push(Event::Complete { winner, counted: results.counted });
        }
        events
    }

    /// What is due while the store cannot be read: time passes.
    pub(crate) fn blind(&mut self, now: Duration) -> Option<Event> {
        self.fresh.too_long(&self.rules, now, "store")
    }
}

/// One place as a look showed it.
struct Standing<'a> {
    leader: Option<&'a str>,
    winner: Option<&'a str>,
    margin_votes: u64,
    seats: Option<u32>,
    by: &'static str,
}

impl Told {
    fn look(
        &mut self,
        rules: &Rules,
        now: Duration,
        (results, place): (&Results, &Place),
        seen: &Standing<'_>,
        events: &mut Vec<Event>,
    ) {
        let person = |id: &str| Person::of(results, id);
        let decided = self.winner.look(rules, now, seen.winner.map(str::to_owned));
        let changed = match seen.leader {
            // Nobody leads, or several do: that is no change of the lead, and nobody's lead lasts through it.
            None => {
                self.leader.wait();
                None
            }
            // A decision says who leads; only a lead that was told of somebody else changes with it.
            Some(leader) if decided.is_some() && seen.winner == Some(leader) => {
                let previous = self.leader.set(now, leader.to_owned());
                previous.filter(|previous| previous != leader).map(Some)
            }
            Some(leader) => self.leader.look(rules, now, Some(leader.to_owned())),
        };
        if let (Some(previous), Some(leader)) = (changed, seen.leader.and_then(person)) {
            events.push(Event::LeadChange {
                place: place.clone(),
                leader,
                previous: previous.as_deref().and_then(person),
                margin_votes: seen.margin_votes,
            });
        }
        if let Some(previous) = decided {
            events.push(Event::Decided {
                place: place.clone(),
                seats: seen.seats,
                winner: seen.winner.and_then(person),
                previous: previous.as_deref().and_then(person),
                by: seen.winner.map(|_| seen.by),
            });
        }
    }
}

impl Freshness {
    fn look(&mut self, rules: &Rules, now: Duration, look: &Look<'_>) -> Option<Event> {
        (self.awaited, self.backlog) = (awaited(look), told_backlog(look));
        if self.records == look.records && self.awaited {
            return self.too_long(rules, now, "no_commit");
        }
        let lasted = now.saturating_sub(self.moved);
        self.moved = now;
        self.records = look.records;
        std::mem::take(&mut self.stale).then_some(Event::Fresh { seconds: lasted.as_secs() })
    }

    fn too_long(&mut self, rules: &Rules, now: Duration, reason: &'static str) -> Option<Event> {
        let lasted = now.saturating_sub(self.moved);
        if !self.awaited || self.stale || lasted < rules.stale {
            return None;
        }
        self.stale = true;
        Some(Event::Stale { seconds: lasted.as_secs(), backlog: self.backlog, reason })
    }
}

impl Rejects {
    /// Windows follow each other; each is judged when it has enough records.
    fn look(&mut self, rules: &Rules, look: &Look<'_>) -> Option<Event> {
        let moved =
            (look.records.checked_sub(self.records), look.results.rejected.checked_sub(self.rejected));
        let (Some(records), Some(rejected)) = moved else {
            // Another store is there now.
            (self.records, self.rejected) = (look.records, look.results.rejected);
            return None;
        };
        if records < rules.reject_window {
            return None;
        }
        (self.records, self.rejected) = (look.records, look.results.rejected);
        let rate = rejected as f64 / records as f64;
        let above =
            if self.above { rate > rules.reject_rate * REJECT_RATE_BACK } else { rate > rules.reject_rate };
        if above == std::mem::replace(&mut self.above, above) {
            return None;
        }
        let window = (look.results.withheld == 0).then_some(Window { records, rejected, rate });
        Some(Event::RejectRate { above, threshold: rules.reject_rate, window })
    }
}

/// Who wins a region for certain, or by the desk's word.
fn winner_of(region: &RegionResult) -> Option<&str> {
    let certain = matches!(region.status, RegionStatus::Decided | RegionStatus::Closed);
    region.leader.as_deref().filter(|_| certain)
}

fn is_complete(results: &Results) -> Option<()> {
    (results.status == CountStatus::Complete).then_some(())
}

/// The backlog is of all records: with what is public, it would tell how many are withheld.
fn told_backlog(look: &Look<'_>) -> Option<u64> {
    (look.results.withheld == 0).then_some(look.backlog)
}

/// Whether a commit is to come: records wait, or votes are expected of a count that has begun and is not declared final.
fn awaited(look: &Look<'_>) -> bool {
    let results = look.results;
    let expected = || results.expected.is_some_and(|expected| results.counted < expected);
    look.backlog > 0 || (results.status == CountStatus::Counting && !results.closed && expected())
}
