//! The figures in `data/`, as they are. Their sources are in `data/SOURCES.md`.

const STATES: &str = include_str!("../../data/us-president-2024-states.csv");
const CLOSING: &str = include_str!("../../data/us-poll-closing-2024.csv");
const GROUPS: &str = include_str!("../../data/us-electorate-2024.csv");

/// The candidates, in the order of the columns.
pub(crate) const CANDIDATES: [&str; 4] = ["trump", "harris", "stein", "other"];

/// One state, or the District of Columbia.
pub(crate) struct State {
    pub code: &'static str,
    pub name: &'static str,
    /// Electoral votes.
    pub seats: u32,
    /// Certified votes, in the order of [`CANDIDATES`].
    pub votes: [u64; 4],
    /// When the last polls closed, RFC 3339, UTC.
    pub closes: &'static str,
}

/// A group of voters in the exit poll; all figures in percent.
pub(crate) struct Group {
    pub by: &'static str,
    pub value: &'static str,
    /// Share of all voters.
    pub share: u64,
    /// Support for trump, for harris, and for all others together.
    pub support: [u64; 3],
}

/// Rows of a file without its header, each split at commas; no field holds a comma or a quote.
fn rows(file: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    file.lines().skip(1).filter(|line| !line.is_empty()).map(|line| line.split(',').collect())
}

fn number(text: &str) -> u64 {
    text.parse().expect("figures are whole numbers")
}

/// The 51, in the order of the file.
pub(crate) fn states() -> Vec<State> {
    let closing: Vec<(&str, &str)> = rows(CLOSING).map(|row| (row[0], row[2])).collect();
    rows(STATES)
        .map(|row| State {
            code: row[0],
            name: row[1],
            seats: number(row[2]) as u32,
            votes: [number(row[3]), number(row[4]), number(row[5]), number(row[6])],
            closes: closing.iter().find(|(code, _)| *code == row[0]).expect("each state's polls closed").1,
        })
        .collect()
}

/// The exit poll's groups.
pub(crate) fn groups() -> Vec<Group> {
    // Hundredths with two decimals: `0.47` is 47 percent.
    let percent = |text: &str| number(text.strip_prefix("0.").expect("shares are 0.xx"));
    rows(GROUPS)
        .map(|row| {
            let (trump, harris) = (percent(row[3]), percent(row[4]));
            Group {
                by: row[0],
                value: row[1],
                share: percent(row[2]),
                support: [trump, harris, 100 - trump - harris],
            }
        })
        .collect()
}
