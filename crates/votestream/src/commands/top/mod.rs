//! `top`: the dashboard in a terminal. News come from a store or a server (`source`), keys and news change a state (`state`), and
//! the picture is drawn from it (`draw`); only this file and `screen` know that there is a terminal.

mod draw;

mod http;

mod palette;

mod screen;

mod source;

mod state;

use crate::Outcome;
use crate::args::Top;
use crate::commands::now;
use anyhow::{Context, Result, bail};
use palette::Palette;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use screen::Screen;
use state::{State, Step};
use std::io::IsTerminal;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long is waited for a key until news are looked for; so no more pictures a second than ten without keys.
const FRAME: Duration = Duration::from_millis(100);
/// A picture is drawn at least so often: it says how long ago things were.
const CLOCK: Duration = Duration::from_secs(1);
/// Keys taken in at once before a picture is drawn.
const KEYS_MAX: usize = 64;

/// Runs the command.
pub fn run(args: &Top) -> Result<Outcome> {
    if !std::io::stdout().is_terminal() {
        bail!(
            "`top` draws on a terminal, and standard output is none; for files and pipes there is `votestream results`"
        );
    }
    let ended = screen::ended()?;
    let news = source::follow(args)?;
    let palette = Palette::of_terminal(args.no_color);
    let mut state = State::default();
    let mut screen = Screen::enter()?;
    let mut drawn: Option<Instant> = None;
    while !ended.load(Ordering::Relaxed) {
        let mut changed = false;
        while let Ok(news) = news.try_recv() {
            state.hear(news, now());
            changed = true;
        }
        state.tick(now());
        if changed || drawn.is_none_or(|drawn| drawn.elapsed() >= CLOCK) {
            let drawing =
                screen.terminal.draw(|frame| draw::draw(frame.buffer_mut(), &state, now(), palette));
            drawing.context("cannot draw on the terminal")?;
            drawn = Some(Instant::now());
        }
        let mut wait = FRAME;
        for _ in 0..KEYS_MAX {
            if !event::poll(wait).context("cannot read the terminal's keys")? {
                break;
            }
            let happened = event::read().context("cannot read the terminal's keys")?;
            if let Event::Key(key) = happened
                && key.kind != KeyEventKind::Release
                && state.key(key, now()) == Step::Quit
            {
                return Ok(Outcome::Done);
            }
            // Whatever it was, the picture may be another now.
            drawn = None;
            wait = Duration::ZERO;
        }
    }
    Ok(Outcome::Done)
}
