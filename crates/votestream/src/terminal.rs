//! Text for a terminal: nothing in it moves the cursor or turns the line round, and it is as wide as it is said to be.

use unicode_width::UnicodeWidthChar;

/// Marks that may sit on one letter; more would grow over other lines.
const MARKS_MAX: usize = 2;

/// The text as it may be shown: control characters are replaced, what is invisible or changes widths and directions is left out.
pub fn clean(text: &str) -> String {
    let mut marks = 0;
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            marks = 0;
            kept.push('\u{fffd}');
        } else if is_invisible(c) {
            // Neither shown nor counted.
        } else if width_of(c) == 0 {
            marks += 1;
            // A mark needs a letter to sit on.
            if marks <= MARKS_MAX && !kept.is_empty() {
                kept.push(c);
            }
        } else {
            marks = 0;
            kept.push(c);
        }
    }
    kept
}

/// Directions, joiners, variants, skin tones, tags: a terminal's width of these is anybody's guess.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0000}'..='\u{e0fff}')
}

fn width_of(c: char) -> usize {
    UnicodeWidthChar::width(c).unwrap_or(0)
}

/// Cells that a clean text takes.
pub fn width(text: &str) -> usize {
    text.chars().map(width_of).sum()
}

/// At most so many cells of a clean text; what is cut off is told by `…`.
#[cfg(any(feature = "top", test))]
pub fn cut(text: &str, cells: usize) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let mut left = cells.saturating_sub(1);
    let mut kept = String::new();
    for c in text.chars() {
        let Some(rest) = left.checked_sub(width_of(c)) else { break };
        left = rest;
        kept.push(c);
    }
    if cells > 0 {
        kept.push('…');
    }
    kept
}

/// A part of a whole in per cent, with one decimal; what is not all is never shown as 100, what is not nothing never as 0.
#[cfg(any(feature = "top", test))]
pub fn percent(part: f64) -> String {
    if part <= 0.0 {
        return "0.0 %".to_owned();
    }
    if part >= 1.0 {
        return "100 %".to_owned();
    }
    let tenths = (part * 1_000.0).round().clamp(1.0, 999.0);
    format!("{:.1} %", tenths / 10.0)
}

/// How far a count is: never 100 % before it is complete.
pub fn progress(counted: u64, expected: u64, complete: bool) -> String {
    if complete && counted == expected {
        return "100 %".to_owned();
    }
    if counted > expected {
        return "over".to_owned();
    }
    if expected == 0 {
        return "–".to_owned();
    }
    let tenths = (u128::from(counted) * 1_000 / u128::from(expected)).min(999) as f64;
    format!("{:.1} %", tenths / 10.0)
}

/// A short while in words.
#[cfg(any(feature = "top", test))]
pub fn ago(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_but_text() {
        for (text, expect) in [
            ("Ada", "Ada"),
            ("\x1b[31mred\x1b]0;title\x07", "\u{fffd}[31mred\u{fffd}]0;title\u{fffd}"),
            ("a\nb\tc\u{9b}d\r", "a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}"),
            ("\u{202e}evil\u{2066}", "evil"),
            ("דוד בן", "דוד בן"),
            ("e\u{301}\u{301}\u{301}\u{301}", "e\u{301}\u{301}"),
            ("\u{301}x", "x"),
            ("👩\u{200d}🚀", "👩🚀"),
            ("<img onerror>", "<img onerror>"),
            ("", ""),
        ] {
            assert_eq!(clean(text), expect);
        }
    }

    #[test]
    fn wide_letters_are_cut_by_their_width() {
        assert_eq!((width("日本"), width("Ada"), width("e\u{301}")), (4, 3, 1));
        assert_eq!(cut("日本語", 6), "日本語");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!((cut("Ada", 1), cut("Ada", 0)), ("…".to_owned(), String::new()));
    }

    #[test]
    fn all_is_said_of_all_alone() {
        assert_eq!(
            [0.0, 0.000_01, 0.5, 0.999_99, 1.0].map(percent),
            ["0.0 %", "0.1 %", "50.0 %", "99.9 %", "100 %"]
        );
        assert_eq!(progress(999_999, 1_000_000, false), "99.9 %");
        assert_eq!(progress(10, 10, false), "99.9 %");
        assert_eq!((progress(10, 10, true), progress(11, 10, true)), ("100 %".to_owned(), "over".to_owned()));
        assert_eq!((progress(0, 0, false), progress(0, 7, false)), ("–".to_owned(), "0.0 %".to_owned()));
        assert_eq!([5, 119, 120, 7_200, 999_999].map(ago), ["5 s", "119 s", "2 min", "2 h", "11 days"]);
    }
}
