//! Pictures as text, beside this file in `pictures/`: what is drawn must be just that. After a wanted change, run the tests with
//! VOTESTREAM_PICTURES=write and look at the difference before it is committed.

use super::super::palette::Palette;
use super::super::state::{Health, News, State, Step};
use super::draw;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::{Value, json};
use std::path::PathBuf;
use votestream_election::Millis;
use votestream_election::results::Results;

/// 2026-11-24T04:00:05Z, five seconds after the commit that is shown.
const NOW: Millis = Millis(1_795_492_805_000);

fn picture(state: &State, (width, height): (u16, u16), palette: Palette) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame.buffer_mut(), state, NOW, palette)).unwrap();
    terminal.backend().buffer().clone()
}

/// The cells as lines, without the blanks at their ends.
fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut covered = 0;
        for x in 0..buffer.area.width {
            let symbol = buffer.cell((x, y)).unwrap().symbol();
            assert!(!symbol.chars().any(char::is_control), "{symbol:?} at {x}, {y}");
            if covered == 0 {
                line.push_str(symbol);
                covered = crate::terminal::width(symbol).max(1);
            }
            covered -= 1;
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn check(name: &str, state: &State, size: (u16, u16), palette: Palette) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("src/commands/top/draw/pictures")
        .join(format!("{name}-{}x{}.txt", size.0, size.1));
    let found = text(&picture(state, size, palette));
    if std::env::var_os("VOTESTREAM_PICTURES").is_some_and(|what| what == "write") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &found).unwrap();
    }
    let expect = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expect, "{} is not what is drawn:\n{found}", path.display());
}

fn candidate(
    id: &str,
    name: &str,
    party: &str,
    colour: &str,
    (votes, of): (u64, u64),
    seats: (u64, u64),
) -> Value {
    json!({"id": id, "name": name, "party": party, "colour": colour, "votes": votes,
           "share": if of == 0 { 0.0 } else { votes as f64 / of as f64 },
           "seats": {"decided": seats.0, "leading": seats.1}})
}

fn region(code: &str, name: &str, seats: u32, status: &str, votes: [u64; 2], expected: u64) -> Value {
    let leader = match votes[0].cmp(&votes[1]) {
        std::cmp::Ordering::Greater => json!("ada"),
        std::cmp::Ordering::Less => json!("bo"),
        std::cmp::Ordering::Equal => Value::Null,
    };
    let tied = if votes[0] == votes[1] && votes[0] > 0 { json!(["ada", "bo"]) } else { json!([]) };
    json!({"code": code, "name": name, "seats": seats, "counted": votes[0] + votes[1], "expected": expected,
           "registered": expected * 2, "status": status, "leader": leader, "tied": tied,
           "margin_votes": votes[0].abs_diff(votes[1]), "votes": {"ada": votes[0], "bo": votes[1]}})
}

/// A made-up country of ten regions, two of them decided, one tied, one without votes.
fn country() -> Value {
    let regions = json!([
        region("NO", "North", 12, "decided", [600_000, 200_000], 1_000_000),
        region("SO", "South", 10, "decided", [150_000, 700_000], 1_000_000),
        region("EA", "East Highlands", 8, "leading", [300_000, 299_000], 800_000),
        region("WE", "West", 7, "leading", [210_000, 250_000], 700_000),
        region("HI", "Hill Country and the Lakes", 5, "leading", [101_000, 90_000], 300_000),
        region("IS", "Islands", 4, "tied", [40_000, 40_000], 200_000),
        region("CO", "Coast", 4, "leading", [120_000, 160_000], 400_000),
        region("PL", "Plains", 3, "closed", [80_000, 30_000], 120_000),
        region("RI", "River", 3, "waiting", [0, 0], 150_000),
        region("CA", "Capital", 2, "leading", [10_000, 12_345], 60_000)
    ]);
    let (ada, bo) = (1_611_000, 1_781_345);
    let of = ada + bo;
    json!({
        "election": {"id": "country", "name": "Presidential election", "date": "2026-11-03", "simulated": true,
                     "seats_to_win": 30},
        "sequence": 42, "as_of": "2026-11-24T04:00:00.000Z", "status": "counting", "records": of + 12 + 3, "counted": of,
        "duplicate": 12, "rejected": 3, "expected": 4_730_000, "leader": "bo", "margin_votes": bo - ada,
        "candidates": [candidate("bo", "Bo Baker", "RED", "vermilion", (bo, of), (10, 13)),
                       candidate("ada", "Ada Archer", "BLU", "blue", (ada, of), (15, 13))],
        "regions": regions,
        "ledger": {"leaves": 51, "records": of, "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}
    })
}

/// The same with other values at JSON pointers.
fn but(mut results: Value, changes: &[(&str, Value)]) -> Value {
    for (pointer, value) in changes {
        *results.pointer_mut(pointer).unwrap() = value.clone();
    }
    results
}

fn showing(results: Value) -> State {
    let mut state = State::default();
    let results: Results = serde_json::from_value(results).unwrap();
    state.hear(News::Results(Box::new(results)), NOW);
    let health = Health {
        rate: Some(48_213.7),
        p50_ms: Some(21.4),
        p99_ms: Some(48.9),
        backlog: Some(1_234),
        workers: Some(2),
        viewers: Some(17),
        paused: None,
    };
    state.hear(News::Health(health), NOW);
    state.history.extend((0..30).map(|n| f64::from(n % 11) * 5_000.0));
    state
}

fn press(state: &mut State, keys: &[KeyCode]) {
    for key in keys {
        assert_eq!(state.key(KeyEvent::new(*key, KeyModifiers::NONE), NOW), Step::On, "{key:?}");
    }
}

fn letters(text: &str) -> Vec<KeyCode> {
    text.chars().map(KeyCode::Char).collect()
}

const SIZES: [(u16, u16); 4] = [(40, 12), (40, 24), (80, 24), (140, 40)];

#[test]
fn a_night_at_every_size() {
    for size in SIZES {
        check("night", &showing(country()), size, Palette::True);
    }
}

#[test]
fn without_colours_every_side_has_its_own_glyphs() {
    for size in [(40, 12), (80, 24)] {
        check("plain", &showing(country()), size, Palette::Plain);
        let buffer = picture(&showing(country()), size, Palette::Plain);
        let coloured = buffer
            .content
            .iter()
            .any(|cell| cell.fg != ratatui::style::Color::Reset || cell.bg != ratatui::style::Color::Reset);
        assert!(!coloured, "a colour where none is wanted");
    }
}

#[test]
fn nothing_counted_yet() {
    let regions = json!([region("NO", "North", 12, "waiting", [0, 0], 1_000_000)]);
    let none = but(
        country(),
        &[
            ("/counted", json!(0)),
            ("/records", json!(0)),
            ("/status", json!("waiting")),
            ("/leader", Value::Null),
            ("/as_of", Value::Null),
            ("/margin_votes", json!(0)),
            ("/regions", regions),
            ("/candidates/0", candidate("ada", "Ada Archer", "BLU", "blue", (0, 0), (0, 0))),
            ("/candidates/1", candidate("bo", "Bo Baker", "RED", "vermilion", (0, 0), (0, 0))),
        ],
    );
    check("no-votes", &showing(none), (80, 24), Palette::True);
    check("nothing", &State::default(), (80, 24), Palette::True);
}

#[test]
fn a_tie_names_all_who_share_it() {
    let tied = but(
        country(),
        &[
            ("/leader", Value::Null),
            ("/margin_votes", json!(0)),
            ("/candidates/0/votes", json!(1_696_172)),
            ("/candidates/1/votes", json!(1_696_172)),
        ],
    );
    let mut tied = tied;
    tied["tied"] = json!(["bo", "ada"]);
    check("tie", &showing(tied), (80, 24), Palette::True);
}

#[test]
fn a_poll_without_regions_gives_its_room_to_thirty_candidates() {
    let candidates: Vec<Value> = (0..30)
        .map(|n| {
            candidate(
                &format!("c{n}"),
                &format!("Candidate number {n}"),
                "",
                "#8040c0",
                (300 - n * 10, 4_650),
                (0, 0),
            )
        })
        .collect();
    let mut poll = but(
        country(),
        &[
            ("/election/seats_to_win", Value::Null),
            ("/election/name", json!("A poll")),
            ("/election/date", Value::Null),
            ("/regions", json!([])),
            ("/candidates", json!(candidates)),
            ("/counted", json!(4_650)),
            ("/expected", Value::Null),
            ("/leader", json!("c0")),
            ("/margin_votes", json!(10)),
        ],
    );
    for size in SIZES {
        check("poll", &showing(poll.clone()), size, Palette::True);
    }
    // The same many beside regions.
    poll["regions"] = country()["regions"].clone();
    check("thirty", &showing(poll), (80, 24), Palette::True);
}

#[test]
fn hostile_names_are_text_and_keep_to_their_columns() {
    let names = but(
        country(),
        &[
            ("/election/name", json!("\u{1b}[2J<b>Wahl</b>\u{7} \u{202e}gnitset")),
            ("/candidates/0/name", json!("\u{1b}]0;owned\u{7}<img onerror=alert(1)>\r\nBo")),
            ("/candidates/1/name", json!("אָדָה ארצ׳ר \u{202e}e\u{301}\u{301}\u{301}\u{301}\u{301}")),
            ("/candidates/1/party", json!("日本党の党")),
            ("/regions/0/name", json!("東京都特別区部とその周辺の島々すべて")),
            ("/regions/0/code", json!("\u{1b}N")),
            ("/regions/1/name", json!("القاهرة الكبرى")),
            ("/regions/2/name", json!("👩\u{200d}👩\u{200d}👧 Family\u{200b}Land 🇺🇸")),
            ("/ledger/digest", json!("\u{1b}c0ffee")),
        ],
    );
    for size in SIZES {
        check("hostile", &showing(names.clone()), size, Palette::True);
    }
}

#[test]
fn complete_and_above_expected_are_said_and_never_early() {
    let nearly = but(country(), &[("/counted", json!(4_729_999))]);
    let picture_of = |results: &Value| text(&picture(&showing(results.clone()), (80, 24), Palette::True));
    assert!(picture_of(&nearly).contains("99.9 % of 4,730,000 expected"), "{}", picture_of(&nearly));
    let reached = but(country(), &[("/counted", json!(4_730_000))]);
    assert!(!picture_of(&reached).contains("100 %"), "records may still wait");
    let over = but(country(), &[("/counted", json!(4_730_010))]);
    assert!(picture_of(&over).contains("10 above the 4,730,000 expected"));
    let mut complete = but(reached, &[("/status", json!("complete"))]);
    complete["winner"] = json!("bo");
    assert!(picture_of(&complete).contains("100 % of 4,730,000 expected"));
    assert!(picture_of(&complete).contains("Bo Baker (RED) wins"));
    assert!(picture_of(&complete).contains("count complete"));
}

#[test]
fn keys_choose_sort_search_and_explain() {
    let mut state = showing(country());
    let order = |state: &State| state.rows().iter().map(|row| row.code.clone()).collect::<Vec<_>>().join(" ");
    assert_eq!(order(&state), "SO NO EA WE CO HI PL IS CA RI");
    press(&mut state, &letters("s"));
    assert_eq!(order(&state), "IS EA HI WE CA CO PL NO SO RI", "closest first, without votes last");
    press(&mut state, &letters("r"));
    assert_eq!(order(&state), "SO NO PL CO CA WE HI EA IS RI");
    press(&mut state, &letters("s"));
    assert_eq!(order(&state), "CA CO EA HI IS NO PL RI SO WE");
    press(&mut state, &letters("s"));
    assert_eq!(order(&state), "PL SO NO EA CO WE HI IS CA RI");
    press(&mut state, &letters("s"));
    press(&mut state, &[KeyCode::Down, KeyCode::Down, KeyCode::Enter]);
    assert_eq!(state.chosen.as_deref(), Some("NO"));
    check("detail", &state, (80, 24), Palette::True);
    check("detail", &state, (40, 12), Palette::True);
    press(&mut state, &[KeyCode::Esc, KeyCode::End]);
    assert_eq!(state.chosen.as_deref(), Some("RI"));
    press(&mut state, &[KeyCode::PageUp, KeyCode::Up, KeyCode::Home]);
    assert_eq!(state.chosen.as_deref(), Some("SO"));
    press(&mut state, &letters("/hi"));
    check("search", &state, (80, 24), Palette::True);
    assert_eq!(order(&state), "EA HI", "East Highlands, Hill Country");
    press(&mut state, &letters("xq"));
    press(&mut state, &[KeyCode::Enter]);
    check("no-match", &state, (80, 24), Palette::True);
    press(&mut state, &[KeyCode::Esc]);
    assert_eq!(state.rows().len(), 10);
    press(&mut state, &letters("?"));
    check("help", &state, (80, 24), Palette::True);
    check("help", &state, (40, 12), Palette::True);
    press(&mut state, &[KeyCode::Esc]);
    for (key, modifiers) in [
        (KeyCode::Esc, KeyModifiers::NONE),
        (KeyCode::Char('q'), KeyModifiers::NONE),
        (KeyCode::Char('c'), KeyModifiers::CONTROL),
    ] {
        assert_eq!(state.key(KeyEvent::new(key, modifiers), NOW), Step::Quit);
    }
}

#[test]
fn what_is_chosen_stays_in_view() {
    let mut state = showing(country());
    for code in ["SO", "NO", "EA", "WE", "CO", "HI", "PL", "IS", "CA", "RI", "RI"] {
        press(&mut state, &[KeyCode::Down]);
        assert_eq!(state.chosen.as_deref(), Some(code));
        let shown = text(&picture(&state, (40, 12), Palette::Plain));
        assert!(shown.lines().any(|line| line.starts_with(code)), "{code} is out of view:\n{shown}");
    }
}

#[test]
fn paused_numbers_stand_still_and_then_catch_up() {
    let mut state = showing(country());
    press(&mut state, &letters("p"));
    let newer: Results =
        serde_json::from_value(but(country(), &[("/counted", json!(3_999_999)), ("/sequence", json!(43))]))
            .unwrap();
    state.hear(News::Results(Box::new(newer.clone())), NOW);
    state.hear(News::Results(Box::new(newer)), NOW);
    state.hear(News::Health(Health::default()), NOW);
    let shown = text(&picture(&state, (80, 24), Palette::True));
    assert!(
        shown.contains("PAUSED, 2 waiting") && shown.contains("3,392,345 votes") && shown.contains("48,213"),
        "{shown}"
    );
    press(&mut state, &letters("p"));
    let shown = text(&picture(&state, (80, 24), Palette::True));
    assert!(!shown.contains("PAUSED") && shown.contains("3,999,999 votes"), "{shown}");
}

#[test]
fn who_is_away_is_said_over_the_last_numbers() {
    let mut state = showing(country());
    state.hear(News::Away("cannot connect\u{1b}[0m".to_owned()), Millis(NOW.0 - 7_000));
    state.hear(News::Away("cannot connect\u{1b}[0m".to_owned()), NOW);
    check("away", &state, (80, 24), Palette::True);
    state.hear(News::Alive, NOW);
    assert!(state.banner(NOW).is_none());
    let stale = state.banner(Millis(NOW.0 + 60_000)).unwrap();
    assert_eq!(stale, "STALE: no commit for 65 s while 1,234 records wait");
    state.hear(News::Health(Health { paused: Some("disk full".to_owned()), ..Health::default() }), NOW);
    assert_eq!(state.banner(NOW).as_deref(), Some("COUNTING IS PAUSED: disk full"));
}

#[test]
fn a_rate_is_seen_where_none_is_told() {
    let mut state = showing(country());
    state.health = Health::default();
    assert_eq!(state.rate(NOW), None, "one look is no rate");
    let later: Results =
        serde_json::from_value(but(country(), &[("/records", json!(3_392_360 + 20_000))])).unwrap();
    let at = Millis(NOW.0 + 4_000);
    state.hear(News::Results(Box::new(later)), at);
    assert_eq!(state.rate(at), Some(5_000.0));
    assert_eq!(state.rate(Millis(at.0 + 11_000)), Some(0.0));
}

#[test]
fn no_size_is_too_small_to_say_so() {
    let mut state = showing(country());
    press(&mut state, &[KeyCode::Down, KeyCode::Enter, KeyCode::Char('?')]);
    for width in (1..60).chain([200, 400]) {
        for height in (1..30).chain([100]) {
            picture(&state, (width, height), Palette::Indexed);
        }
    }
    check("small", &state, (39, 5), Palette::True);
}
