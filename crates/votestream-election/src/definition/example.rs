//! A definition as a commented TOML text that reads back as the same election: what `init` writes.

use super::error::DefinitionError;
use super::lists::{CANDIDATES_MAX, PALETTE, REGIONS_MAX};
use super::mapping::{self, CUSTOM, MAPPINGS};
use super::raw::{RawFields, RawMapping};
use super::validate::moment_text;
use crate::election::{DuplicatePolicy, Election, Publish, WinRule};
use std::fmt::Write;

/// An election (a preset, say) as a commented definition to start from; it reads back equal.
pub fn example_toml(election: &Election) -> String {
    let head =
        "An election for votestream. Count with it: votestream count --election THIS-FILE --log … --store …";
    to_toml(election, &[head.to_owned()])
}

/// Says that there is no such preset.
pub fn unknown_preset(name: &str) -> DefinitionError {
    DefinitionError {
        file: format!("preset {name:?}"),
        line: None,
        field: None,
        problem: "there is no such preset".to_owned(),
        help: format!("use one of {}, or the path of a TOML file", super::PRESETS.join(", ")),
    }
}

/// An election as a definition in which every key is explained. `head`: comment lines at the top.
pub(super) fn to_toml(election: &Election, head: &[String]) -> String {
    let mut toml = Toml(String::new());
    for line in head {
        toml.comment(line);
    }
    toml.comment("Lines that begin with # say nothing to the program. A key that is not known is an error.");
    what(&mut toml, election);
    winning(&mut toml, election);
    voters(&mut toml, election);
    records(&mut toml, election);
    regions(&mut toml, election);
    candidates(&mut toml, election);
    if let RawMapping::Custom(fields) = mapping::to_raw(&election.mapping) {
        custom(&mut toml, &fields);
    }
    toml.0
}

struct Toml(String);

impl Toml {
    fn gap(&mut self) {
        self.0.push('\n');
    }

    fn comment(&mut self, text: &str) {
        let _ = writeln!(self.0, "# {text}");
    }

    fn line(&mut self, key: &str, value: &str) {
        let _ = writeln!(self.0, "{key} = {value}");
    }

    /// The key where there is a value, else an example of it behind a `#`.
    fn maybe(&mut self, key: &str, value: Option<String>, example: &str) {
        match value {
            Some(value) => self.line(key, &value),
            None => self.comment(&format!("{key} = {example}")),
        }
    }
}

/// A text as a TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|t| quoted(t)).collect::<Vec<_>>().join(", "))
}

fn what(toml: &mut Toml, election: &Election) {
    toml.gap();
    toml.comment("The key under which the store keeps this election: lower-case letters, digits, `-`. It cannot change later.");
    toml.line("id", &quoted(&election.id));
    toml.comment("What people call it.");
    toml.line("name", &quoted(&election.name));
    toml.comment("The day of the vote. Leave it out for an open poll.");
    toml.maybe("date", election.date.as_deref().map(quoted), "\"2026-05-20\"");
    toml.comment("IANA time zone, for times without an offset and for the page. Default: UTC.");
    toml.line("time_zone", &quoted(&election.time_zone));
    toml.comment("true where votes are generated, not cast: every answer says so. Default: false.");
    toml.line("simulated", &election.simulated.to_string());
    toml.comment("A sentence for the page's method section.");
    toml.maybe("note", election.note.as_deref().map(quoted), "\"Members vote from Monday to Friday.\"");
}

fn winning(toml: &mut Toml, election: &Election) {
    toml.gap();
    toml.comment("Who wins: \"seats\" (each region's first takes its seats, and `threshold` seats win) or \"plurality\" (most votes).");
    match election.rule {
        WinRule::Seats { threshold } => {
            toml.line("rule", "\"seats\"");
            toml.comment("Seats that win. Default: more than half.");
            toml.line("threshold", &threshold.to_string());
        }
        WinRule::Plurality => {
            toml.line("rule", "\"plurality\"");
            toml.comment("Seats that win, under \"seats\". Default: more than half.");
            toml.comment("threshold = 270");
        }
    }
    toml.comment(
        "Votes expected in all, an estimate. Default: the sum over the regions, where each has its own.",
    );
    toml.maybe("expected", election.expected.map(|e| e.to_string()), "1000");
    toml.comment("true where the expected votes are exact, as in a simulation: then a lead that they can no longer change is decided.");
    toml.line("expected_exact", &election.expected_exact.to_string());
}

fn voters(toml: &mut Toml, election: &Election) {
    toml.gap();
    toml.comment("Genders that records may name (without regard to case). \"Unknown\" is always the last. [] : gender is not looked at.");
    toml.line("genders", &list(if election.genders.len() > 1 { &election.genders } else { &[] }));
    toml.comment("Age bands, from youngest to oldest, without overlap. [] : ages are not shown.");
    let bands: Vec<String> = election.bands.iter().map(|b| b.label.clone()).collect();
    toml.line("bands", &list(&bands));
    toml.comment("The youngest who may vote; a younger voter's record is rejected. Default: any age.");
    toml.maybe("eligible_age", election.eligible_age.map(|a| a.to_string()), "18");
    toml.comment("Records with a time outside are rejected. Default: any time.");
    let hours = election.voting_hours.map(|(from, to)| {
        let text = |moment| quoted(&moment_text(moment).0);
        format!("{{ from = {}, to = {} }}", text(from), text(to))
    });
    toml.maybe("voting_hours", hours, "{ from = \"2026-05-20T07:00:00Z\", to = \"2026-05-20T19:00:00Z\" }");
    toml.comment("Which of a voter's records counts: \"first\" or \"last\".");
    toml.line(
        "duplicate",
        if election.duplicate == DuplicatePolicy::Last { "\"last\"" } else { "\"first\"" },
    );
    toml.comment(
        "No figure by age or gender is published that tells of fewer voters than this. Default: 10.",
    );
    toml.line("min_cell", &election.min_cell.to_string());
    toml.comment("Mixed into the keys under which voters with text ids are remembered. Keep it secret.");
    toml.maybe("salt", election.salt.as_deref().map(quoted), "\"a long random text\"");
}

fn records(toml: &mut Toml, election: &Election) {
    toml.gap();
    toml.comment(&format!(
        "Where a record's JSON holds what: one of {}, or a table [mapping] with",
        MAPPINGS.map(quoted).join(", ")
    ));
    toml.comment("voter, region, candidate (a path or a list of paths), gender, age, time (each a path such as \"address.state\" or");
    toml.comment("\"/address/state\") and time_format (\"rfc3339\", \"unix_ms\" or a pattern such as \"%Y-%m-%d %H:%M:%S\").");
    if election.mapping.name == CUSTOM {
        toml.comment("Here it is the table [mapping] at the end.");
    } else {
        toml.line("mapping", &quoted(&election.mapping.name));
    }
}

fn regions(toml: &mut Toml, election: &Election) {
    toml.gap();
    toml.comment(&format!("Parts of the electorate that are reported apart, at most {REGIONS_MAX}. Records name them by name or by code."));
    toml.comment("code, name; seats: what its first takes (default 0); expected: votes, an estimate; registered: voters, a ceiling;");
    toml.comment("publish = \"at_close\": shown to nobody before `votestream close` (default \"live\"); closes: when its last polls close.");
    if election.regions.is_empty() {
        toml.comment("regions = [");
        toml.comment("  { code = \"N\", name = \"North\", seats = 3, expected = 600, registered = 1200, closes = \"2026-05-20T19:00:00Z\" },");
        toml.comment("  { code = \"S\", name = \"South\", seats = 2, publish = \"at_close\" },");
        toml.comment("]");
        return;
    }
    toml.0.push_str("regions = [\n");
    for region in &election.regions {
        let _ = write!(
            toml.0,
            "  {{ code = {}, name = {}, seats = {}",
            quoted(&region.code),
            quoted(&region.name),
            region.seats
        );
        for (key, votes) in [("expected", region.expected), ("registered", region.registered)] {
            if let Some(votes) = votes {
                let _ = write!(toml.0, ", {key} = {votes}");
            }
        }
        if region.publish == Publish::AtClose {
            toml.0.push_str(", publish = \"at_close\"");
        }
        if let Some(closes) = region.closes {
            let _ = write!(toml.0, ", closes = {}", quoted(&moment_text(closes).0));
        }
        toml.0.push_str(" },\n");
    }
    toml.0.push_str("]\n");
}

fn candidates(toml: &mut Toml, election: &Election) {
    toml.gap();
    toml.comment(&format!("Who or what can be voted for, 1 to {CANDIDATES_MAX}, in the order in which ties are listed. Records name them by name or id."));
    toml.comment(&format!(
        "id: stands in results; name; party (may be left out); colour: {} or \"#rrggbb\".",
        PALETTE.map(quoted).join(", ")
    ));
    toml.comment("photo: a picture's file beside this one (PNG, JPEG, WebP or AVIF, at most 64 KiB), kept with the election; may be left out.");
    for candidate in &election.candidates {
        toml.0.push_str("[[candidates]]\n");
        toml.line("id", &quoted(&candidate.id));
        toml.line("name", &quoted(&candidate.name));
        if !candidate.party.is_empty() {
            toml.line("party", &quoted(&candidate.party));
        }
        toml.line("colour", &quoted(&candidate.colour));
        toml.gap();
    }
}

fn custom(toml: &mut Toml, fields: &RawFields) {
    toml.comment("Where a record's JSON holds what.");
    toml.0.push_str("[mapping]\n");
    toml.comment("The voter: an integer below 2^64, or a text of 1 to 128 bytes.");
    toml.line("voter", &quoted(&fields.voter));
    toml.comment("The region, by name or code.");
    toml.maybe("region", fields.region.as_deref().map(quoted), "\"state\"");
    toml.comment("The candidate, by name or id: the first of these fields that holds a known one.");
    toml.line("candidate", &list(&fields.candidate.0));
    toml.comment("The gender, and the age in whole years or as a band. A record without them counts under \"Unknown\".");
    toml.maybe("gender", fields.gender.as_deref().map(quoted), "\"gender\"");
    toml.maybe("age", fields.age.as_deref().map(quoted), "\"age\"");
    toml.comment("The moment of the vote, and how it is written. Default: the moment at which the record entered the log.");
    toml.maybe("time", fields.time.as_deref().map(quoted), "\"time\"");
    toml.maybe("time_format", fields.time_format.as_deref().map(quoted), "\"rfc3339\"");
}
