//! Colours as far as the terminal has them, and glyphs that say the same without any.

use ratatui::style::{Color, Modifier, Style};

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Palette {
    /// None: decided, leading and whose is told by glyphs and words.
    Plain,
    /// The sixteen of old.
    Sixteen,
    /// 256.
    Indexed,
    /// All.
    True,
}

/// How decided and leading seats are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glyphs {
    /// Whatever still comes.
    pub decided: &'static str,
    /// So far.
    pub leading: &'static str,
}

impl Palette {
    /// By what the terminal says of itself, unless colours are not wanted.
    pub fn of_terminal(no_color: bool) -> Self {
        let says = |name: &str| std::env::var(name).unwrap_or_default();
        if no_color || !says("NO_COLOR").is_empty() || says("TERM") == "dumb" {
            Self::Plain
        } else if matches!(says("COLORTERM").as_str(), "truecolor" | "24bit") {
            Self::True
        } else if says("TERM").contains("256") {
            Self::Indexed
        } else {
            Self::Sixteen
        }
    }

    /// Text in a candidate's colour: `blue`, `vermilion`, `teal`, `ochre`, `purple` or `#rrggbb`.
    pub fn candidate(self, colour: &str) -> Style {
        let (rgb, sixteen) = match colour {
            "blue" => ((0x3b, 0x8e, 0xff), Color::LightBlue),
            "vermilion" => ((0xed, 0x61, 0x2e), Color::LightRed),
            "teal" => ((0x2f, 0xb3, 0xa1), Color::Cyan),
            "ochre" => ((0xc8, 0x96, 0x1e), Color::Yellow),
            "purple" => ((0xb0, 0x6a, 0xb8), Color::Magenta),
            other => match hex(other) {
                Some(rgb) => (rgb, Color::Gray),
                None => return Style::new(),
            },
        };
        let (r, g, b) = rgb;
        match self {
            Self::Plain => Style::new(),
            Self::Sixteen => Style::new().fg(sixteen),
            Self::Indexed => Style::new().fg(Color::Indexed(cube(r) * 36 + cube(g) * 6 + cube(b) + 16)),
            Self::True => Style::new().fg(Color::Rgb(r, g, b)),
        }
    }

    /// Seats: of the first, the second and all others.
    pub fn seats(self, rank: usize) -> Glyphs {
        match (self, rank) {
            (Self::Plain, 1) => Glyphs { decided: "#", leading: "+" },
            (Self::Plain, 2..) => Glyphs { decided: "o", leading: "-" },
            _ => Glyphs { decided: "█", leading: "▒" },
        }
    }
}

#[expect(clippy::unused_self, reason = "how a thing looks is asked of the palette, the same in each or not")]
impl Palette {
    /// Something is wrong.
    pub fn alarm(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD)
    }

    /// What matters most.
    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What matters least.
    pub fn quiet(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// What is chosen.
    pub fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}

/// The step of the 6 × 6 × 6 cube next to a value.
fn cube(value: u8) -> u8 {
    match value {
        0..=47 => 0,
        48..=114 => 1,
        _ => (value - 35) / 40,
    }
}

fn hex(text: &str) -> Option<(u8, u8, u8)> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
    let value = u32::from_str_radix(digits, 16).ok()?;
    let [_, r, g, b] = value.to_be_bytes();
    Some((r, g, b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_as_many_as_the_terminal_has() {
        assert_eq!(Palette::Plain.candidate("blue"), Style::new());
        assert_eq!(Palette::Sixteen.candidate("blue"), Style::new().fg(Color::LightBlue));
        assert_eq!(Palette::Indexed.candidate("#ff0000"), Style::new().fg(Color::Indexed(196)));
        assert_eq!(Palette::True.candidate("#0a0b0c"), Style::new().fg(Color::Rgb(10, 11, 12)));
        assert_eq!(Palette::True.candidate("none"), Style::new());
        assert_eq!(Palette::Indexed.candidate("#ffffff"), Style::new().fg(Color::Indexed(231)));
    }

    #[test]
    fn without_colours_every_seat_has_its_own_glyph() {
        let glyphs = [0, 1, 2].map(|rank| Palette::Plain.seats(rank));
        let mut all: Vec<&str> = glyphs.iter().flat_map(|g| [g.decided, g.leading]).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 6);
    }
}
