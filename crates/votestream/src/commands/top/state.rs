//! What is shown and how: the newest results and health, and what keys have chosen. Pure: time is handed in.

use crate::terminal::clean;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::cmp::Ordering;
use std::collections::VecDeque;
use votestream_election::Millis;
use votestream_election::results::{RegionResult, RegionStatus, Results};

/// Over how long records a second are taken, in milliseconds.
const RATE_WINDOW_MS: i64 = 10_000;
/// Points of the rate's history, a second each.
const HISTORY_MAX: usize = 60;
/// Longest search, in characters.
const SEARCH_MAX: usize = 40;
/// Rows that a page key moves.
const PAGE: isize = 10;
/// No commit for so long while records wait, and it is said, in milliseconds.
const STALE_MS: i64 = 10_000;

/// What a source tells.
#[derive(Clone, Debug)]
pub enum News {
    /// A new snapshot.
    Results(Box<Results>),
    /// How counting is doing.
    Health(Health),
    /// Nothing new, and all is well.
    Alive,
    /// The source cannot be read; it is tried again.
    Away(String),
}

/// How counting is doing, as far as the source knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Health {
    /// Records counted a second, by the engine's own measure.
    pub rate: Option<f64>,
    /// From a record's arrival in the log to its commit, in milliseconds.
    pub p50_ms: Option<f64>,
    /// The same, 99th percentile.
    pub p99_ms: Option<f64>,
    /// Records that wait in the log.
    pub backlog: Option<u64>,
    /// Threads that decide.
    pub workers: Option<u64>,
    /// Live streams.
    pub viewers: Option<u64>,
    /// Why counting is paused.
    pub paused: Option<String>,
}

/// How regions are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Most votes first.
    Votes,
    /// Closest first.
    Margin,
    /// By name.
    Name,
    /// Most counted first.
    Progress,
}

impl Sort {
    /// As in the heading.
    pub fn name(self) -> &'static str {
        match self {
            Self::Votes => "votes",
            Self::Margin => "margin",
            Self::Name => "name",
            Self::Progress => "progress",
        }
    }

    fn next(self) -> Self {
        match self {
            Self::Votes => Self::Margin,
            Self::Margin => Self::Name,
            Self::Name => Self::Progress,
            Self::Progress => Self::Votes,
        }
    }
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Go on.
    On,
    /// Quit.
    Quit,
}

/// All that is drawn.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct State {
    /// What is shown; `None` before the first snapshot.
    pub results: Option<Results>,
    /// How counting is doing.
    pub health: Health,
    /// Records a second of the last minute, oldest first.
    pub history: VecDeque<f64>,
    /// What came while paused.
    kept: Option<Box<Results>>,
    /// How many snapshots that was.
    pub waiting: u64,
    /// Numbers stand still.
    pub paused: bool,
    /// Why the source is away, and since when.
    pub away: Option<(String, Millis)>,
    /// How regions are sorted, and whether the other way round.
    pub sort: (Sort, bool),
    /// What regions are searched for.
    pub search: String,
    /// Keys are letters of the search.
    pub searching: bool,
    /// The chosen region's code.
    pub chosen: Option<String>,
    /// Its details are shown.
    pub detail: bool,
    /// The keys are explained.
    pub help: bool,
    samples: VecDeque<(Millis, u64)>,
    ticked: Option<Millis>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            results: None,
            health: Health::default(),
            history: VecDeque::new(),
            kept: None,
            waiting: 0,
            paused: false,
            away: None,
            sort: (Sort::Votes, false),
            search: String::new(),
            searching: false,
            chosen: None,
            detail: false,
            help: false,
            samples: VecDeque::new(),
            ticked: None,
        }
    }
}

impl State {
    /// Takes in what a source tells.
    pub fn hear(&mut self, news: News, now: Millis) {
        match news {
            News::Away(why) => {
                let since = self.away.take().map_or(now, |(_, since)| since);
                self.away = Some((clean(&why), since));
            }
            News::Alive => self.away = None,
            News::Health(_) if self.paused => {}
            News::Health(health) => self.health = health,
            News::Results(results) => {
                self.away = None;
                if self.paused {
                    self.waiting += 1;
                    self.kept = Some(results);
                } else {
                    self.show(*results, now);
                }
            }
        }
    }

    fn show(&mut self, results: Results, now: Millis) {
        // Of another store, or counted anew.
        if self.samples.back().is_some_and(|(_, records)| *records > results.records) {
            self.samples.clear();
        }
        self.samples.push_back((now, results.records));
        self.results = Some(results);
        self.forget(now);
    }

    /// Keeps one sample from before the window.
    fn forget(&mut self, now: Millis) {
        while self.samples.get(1).is_some_and(|(at, _)| now.0 - at.0 > RATE_WINDOW_MS) {
            self.samples.pop_front();
        }
    }

    /// Time passes.
    pub fn tick(&mut self, now: Millis) {
        if self.paused || self.ticked.is_some_and(|last| now.0 - last.0 < 1_000) {
            return;
        }
        self.ticked = Some(now);
        if let Some(rate) = self.rate(now) {
            self.history.push_back(rate);
            while self.history.len() > HISTORY_MAX {
                self.history.pop_front();
            }
        }
    }

    /// Records a second: as the engine says, else as they were seen to come.
    pub fn rate(&self, now: Millis) -> Option<f64> {
        if self.health.rate.is_some() {
            return self.health.rate;
        }
        let ((first, from), (last, to)) = (self.samples.front()?, self.samples.back()?);
        if now.0 - last.0 > RATE_WINDOW_MS {
            return Some(0.0);
        }
        let seconds = (now.0 - first.0) as f64 / 1_000.0;
        (seconds >= 1.0).then(|| to.saturating_sub(*from) as f64 / seconds)
    }

    /// Milliseconds since the newest commit that is shown.
    pub fn age_ms(&self, now: Millis) -> Option<i64> {
        let as_of: jiff::Timestamp = self.results.as_ref()?.as_of.as_ref()?.parse().ok()?;
        Some((now.0 - as_of.as_millisecond()).max(0))
    }

    /// What is wrong, in a sentence, if something is.
    pub fn banner(&self, now: Millis) -> Option<String> {
        if let Some((why, since)) = &self.away {
            let seconds = u64::try_from((now.0 - since.0) / 1_000).unwrap_or(0);
            let kept = if self.results.is_some() { "; what was known is kept" } else { "" };
            return Some(format!("AWAY for {}: {why}{kept}; trying again", crate::terminal::ago(seconds)));
        }
        if let Some(why) = &self.health.paused {
            return Some(format!("COUNTING IS PAUSED: {}", clean(why)));
        }
        let waits = self.health.backlog.filter(|backlog| *backlog > 0)?;
        let age = self.age_ms(now).filter(|age| *age > STALE_MS && !self.paused)?;
        let since = crate::terminal::ago((age / 1_000) as u64);
        Some(format!("STALE: no commit for {since} while {} records wait", crate::progress::grouped(waits)))
    }

    /// What a key does.
    pub fn key(&mut self, key: KeyEvent, now: Millis) -> Step {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return if key.code == KeyCode::Char('c') { Step::Quit } else { Step::On };
        }
        if self.searching {
            self.search_key(key.code);
            return Step::On;
        }
        if self.help {
            self.help = false;
            return if key.code == KeyCode::Char('q') { Step::Quit } else { Step::On };
        }
        match key.code {
            KeyCode::Esc if self.detail => self.detail = false,
            KeyCode::Esc if !self.search.is_empty() => self.search.clear(),
            KeyCode::Char('q') | KeyCode::Esc => return Step::Quit,
            KeyCode::Char('?' | 'h') => self.help = true,
            KeyCode::Char('/') => (self.searching, self.detail) = (true, false),
            KeyCode::Char('s') => self.sort = (self.sort.0.next(), false),
            KeyCode::Char('r') => self.sort.1 = !self.sort.1,
            KeyCode::Char('p') => self.pause(now),
            KeyCode::Enter => self.detail = !self.detail && self.row().is_some(),
            KeyCode::Up | KeyCode::Char('k') => self.walk(-1),
            KeyCode::Down | KeyCode::Char('j') => self.walk(1),
            KeyCode::PageUp => self.walk(-PAGE),
            KeyCode::PageDown => self.walk(PAGE),
            KeyCode::Home => self.walk(isize::MIN),
            KeyCode::End => self.walk(isize::MAX),
            _ => {}
        }
        Step::On
    }

    fn search_key(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.searching = false,
            KeyCode::Esc => {
                self.searching = false;
                self.search.clear();
            }
            KeyCode::Backspace => {
                self.search.pop();
            }
            KeyCode::Char(c) if self.search.chars().count() < SEARCH_MAX => {
                self.search.push_str(&clean(c.encode_utf8(&mut [0; 4])));
            }
            _ => {}
        }
    }

    fn pause(&mut self, now: Millis) {
        self.paused = !self.paused;
        if let (false, Some(kept)) = (self.paused, self.kept.take()) {
            self.show(*kept, now);
        }
        self.waiting = 0;
    }

    fn walk(&mut self, by: isize) {
        let rows = self.rows();
        let Some(last) = rows.len().checked_sub(1) else { return };
        let code = match self.place(&rows) {
            // The first step of all chooses the first row, or the last.
            None if by < isize::MAX => rows.first(),
            None => rows.last(),
            Some(at) => rows.get(at.saturating_add_signed(by).min(last)),
        };
        self.chosen = code.map(|row| row.code.clone());
    }

    /// The chosen region's place among the rows.
    pub fn place(&self, rows: &[&RegionResult]) -> Option<usize> {
        let code = self.chosen.as_ref()?;
        rows.iter().position(|row| row.code == *code)
    }

    /// The chosen region, while it is public.
    pub fn row(&self) -> Option<&RegionResult> {
        let code = self.chosen.as_ref()?;
        self.results.as_ref()?.regions.iter().find(|region| region.code == *code)
    }

    /// Regions that are searched for, sorted.
    pub fn rows(&self) -> Vec<&RegionResult> {
        let Some(results) = &self.results else { return Vec::new() };
        let wanted = self.search.to_lowercase();
        let fits = |region: &&RegionResult| {
            wanted.is_empty()
                || region.code.to_lowercase().contains(&wanted)
                || clean(&region.name).to_lowercase().contains(&wanted)
        };
        let mut rows: Vec<&RegionResult> = results.regions.iter().filter(fits).collect();
        let (sort, reversed) = self.sort;
        rows.sort_by(|a, b| {
            // Regions that cannot be compared come last either way.
            let order = match sort {
                Sort::Votes => b.counted.cmp(&a.counted),
                Sort::Name => a.name.to_lowercase().cmp(&b.name.to_lowercase()),
                Sort::Margin => return last_without(margin(a), margin(b), reversed),
                Sort::Progress => return last_without(done(a), done(b), !reversed),
            };
            if reversed { order.reverse() } else { order }
        });
        rows
    }

    /// Undecided regions by margin, closest first.
    pub fn closest(&self) -> Vec<&RegionResult> {
        let Some(results) = &self.results else { return Vec::new() };
        let open = |region: &&RegionResult| {
            matches!(region.status, RegionStatus::Leading | RegionStatus::Tied) && !region.closed
        };
        let mut rows: Vec<&RegionResult> = results.regions.iter().filter(open).collect();
        rows.sort_by(|a, b| last_without(margin(a), margin(b), false));
        rows
    }
}

/// Ascending, or descending when `reversed`; nothing comes last.
fn last_without(a: Option<f64>, b: Option<f64>, reversed: bool) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => {
            if reversed {
                b.total_cmp(&a)
            } else {
                a.total_cmp(&b)
            }
        }
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

/// The margin as a part of the votes; `None` without votes.
pub fn margin(region: &RegionResult) -> Option<f64> {
    (region.counted > 0).then(|| region.margin_votes as f64 / region.counted as f64)
}

fn done(region: &RegionResult) -> Option<f64> {
    let expected = region.expected.filter(|expected| *expected > 0)?;
    Some(region.counted as f64 / expected as f64)
}
