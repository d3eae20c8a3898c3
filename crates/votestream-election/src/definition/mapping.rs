//! How an event's JSON maps to a vote: the built-in mappings (interface.md's "What a vote event must be") and custom ones.
//! Reading events by a mapping is `event`'s business.

use super::error::{Fault, Path};
use super::raw::{OneOrMore, RawFields, RawMapping};
use crate::election::{FieldPath, Mapping, TimeFormat};

/// The mappings that have a name.
pub const MAPPINGS: [&str; 3] = ["presidential", "votestream", "poll"];

/// Name of a mapping that is spelled out in the definition.
pub const CUSTOM: &str = "custom";

/// Keys from the top of an event to a field, at most.
pub const PATH_DEPTH_MAX: usize = 8;

/// How the time of the `votestream` mapping is written.
pub const VOTESTREAM_TIME: &str = "%Y-%m-%d %H:%M:%S";

/// What an election looks at; fields that it does not look at are left out of its mapping.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looks {
    pub region: bool,
    pub gender: bool,
    pub age: bool,
}

/// The built-in mapping of that name, less what the election does not look at; `None`: no such name.
pub(super) fn named(name: &str, looks: Looks) -> Option<Mapping> {
    let path = |text: &str| FieldPath(text.split('.').map(str::to_owned).collect());
    let (voter, region, candidate, gender, age, time) = match name {
        "presidential" => (
            "id",
            Some("state"),
            vec!["decision"],
            Some("gender"),
            Some("age"),
            Some(("time", TimeFormat::Rfc3339)),
        ),
        "votestream" => (
            "voter_id",
            Some("address.state"),
            vec!["candidate_id", "candidate_name"],
            Some("gender"),
            Some("registered_age"),
            Some(("voting_time", TimeFormat::Local(VOTESTREAM_TIME.to_owned()))),
        ),
        "poll" => ("id", None, vec!["decision"], None, None, None),
        _ => return None,
    };
    Some(Mapping {
        name: name.to_owned(),
        voter: path(voter),
        region: region.filter(|_| looks.region).map(path),
        candidate: candidate.into_iter().map(path).collect(),
        gender: gender.filter(|_| looks.gender).map(path),
        age: age.filter(|_| looks.age).map(path),
        time: time.map(|(field, format)| (path(field), format)),
    })
}

/// A mapping as written, checked against what the election looks at.
pub(super) fn validated(raw: &RawMapping, looks: Looks) -> Result<Mapping, Fault> {
    let mapping = match raw {
        RawMapping::Named(name) => named(name, looks).ok_or_else(|| {
            Fault::new(
                Path::key("mapping"),
                format!("there is no mapping {name:?}"),
                format!("use one of {}, or a table of field paths", MAPPINGS.join(", ")),
            )
        })?,
        RawMapping::Custom(fields) => custom(fields, looks)?,
    };
    if looks.region && mapping.region.is_none() {
        return Err(Fault::new(
            Path::key("mapping"),
            format!(
                "the election has regions, but the mapping {:?} does not say where a vote's region is",
                mapping.name
            ),
            "choose a mapping with a region, or remove the regions",
        ));
    }
    Ok(mapping)
}

fn custom(raw: &RawFields, looks: Looks) -> Result<Mapping, Fault> {
    let at = |field: &str| Path::sub("mapping", field);
    let one = |field: &str, text: &Option<String>| -> Result<Option<FieldPath>, Fault> {
        text.as_ref().map(|text| parse_path(text).map_err(|(p, h)| Fault::new(at(field), p, h))).transpose()
    };
    let voter = parse_path(&raw.voter).map_err(|(p, h)| Fault::new(at("voter"), p, h))?;
    let candidate = raw.candidate.0.iter().map(|text| parse_path(text)).collect::<Result<Vec<_>, _>>();
    let candidate = candidate.map_err(|(p, h)| Fault::new(at("candidate"), p, h))?;
    if candidate.is_empty() || candidate.len() > 4 {
        return Err(Fault::new(
            at("candidate"),
            format!("{} paths are given for the candidate", candidate.len()),
            "give one to four",
        ));
    }
    let region = one("region", &raw.region)?;
    let gender = one("gender", &raw.gender)?;
    let age = one("age", &raw.age)?;
    let time = match (one("time", &raw.time)?, &raw.time_format) {
        (Some(path), format) => Some((path, time_format(format.as_deref())?)),
        (None, None) => None,
        (None, Some(_)) => {
            let help = "add `time`, the path of the field, or remove `time_format`";
            return Err(Fault::new(at("time_format"), "a format is given, but no field of a time", help));
        }
    };
    let unused = [
        ("region", region.is_some() && !looks.region, "the election has no regions", "list its regions"),
        (
            "gender",
            gender.is_some() && !looks.gender,
            "the election names no genders",
            "name them in `genders`",
        ),
        (
            "age",
            age.is_some() && !looks.age,
            "the election has neither age bands nor an eligible age",
            "give `bands` or `eligible_age`",
        ),
    ];
    if let Some((field, _, problem, help)) = unused.into_iter().find(|(_, unused, ..)| *unused) {
        return Err(Fault::new(
            at(field),
            format!("{problem}, so that nothing looks at this field"),
            format!("{help}, or remove the field"),
        ));
    }
    let mapping = Mapping { name: CUSTOM.to_owned(), voter, region, candidate, gender, age, time };
    apart(&mapping)?;
    Ok(mapping)
}

/// No field may be, or lie within, another.
fn apart(mapping: &Mapping) -> Result<(), Fault> {
    let mut fields: Vec<(&str, &FieldPath)> = vec![("voter", &mapping.voter)];
    fields.extend(mapping.region.as_ref().map(|p| ("region", p)));
    fields.extend(mapping.candidate.iter().map(|p| ("candidate", p)));
    fields.extend(mapping.gender.as_ref().map(|p| ("gender", p)));
    fields.extend(mapping.age.as_ref().map(|p| ("age", p)));
    fields.extend(mapping.time.as_ref().map(|(p, _)| ("time", p)));
    for (i, (name, path)) in fields.iter().enumerate() {
        for (other_name, other) in &fields[..i] {
            if path.0.starts_with(&other.0) || other.0.starts_with(&path.0) {
                return Err(Fault::new(
                    Path::sub("mapping", name),
                    format!("{:?} is, or lies within, the field of the {other_name}", path_text(path)),
                    "give each its own field",
                ));
            }
        }
    }
    Ok(())
}

fn time_format(text: Option<&str>) -> Result<TimeFormat, Fault> {
    match text {
        None | Some("rfc3339") => Ok(TimeFormat::Rfc3339),
        Some("unix_ms") => Ok(TimeFormat::UnixMillis),
        Some(pattern) => {
            let sample = jiff::civil::date(2024, 11, 5).at(20, 30, 15, 0);
            let written = jiff::fmt::strtime::format(pattern, sample);
            let read =
                written.as_ref().ok().and_then(|text| jiff::civil::DateTime::strptime(pattern, text).ok());
            if pattern.contains('%') && read.is_some_and(|read| read.date() == sample.date()) {
                return Ok(TimeFormat::Local(pattern.to_owned()));
            }
            Err(Fault::new(
                Path::sub("mapping", "time_format"),
                format!("{pattern:?} is no format that gives a date and a time of day"),
                format!("use \"rfc3339\", \"unix_ms\" or a pattern such as {VOTESTREAM_TIME:?}"),
            ))
        }
    }
}

/// The path that `text` means: keys joined by points, or a JSON pointer (RFC 6901). Errors: what is wrong, what to do.
fn parse_path(text: &str) -> Result<FieldPath, (String, String)> {
    let keys: Vec<String> = match text.strip_prefix('/') {
        Some(rest) => rest.split('/').map(unescape).collect::<Option<_>>().ok_or_else(|| {
            (
                format!("{text:?} is no JSON pointer"),
                "write `~0` for `~` and `~1` for `/` within a key".to_owned(),
            )
        })?,
        None => text.split('.').map(str::to_owned).collect(),
    };
    let pointer = text.starts_with('/');
    if keys.len() > PATH_DEPTH_MAX {
        return Err((format!("{text:?} has {} keys", keys.len()), format!("use at most {PATH_DEPTH_MAX}")));
    }
    if keys.iter().any(|k| (k.is_empty() && !pointer) || k.len() > 128 || k.chars().any(char::is_control)) {
        let help = "write keys of 1 to 128 bytes joined by points (`address.state`), or a JSON pointer (`/address/state`)";
        return Err((format!("{text:?} is no path of a field"), help.to_owned()));
    }
    Ok(FieldPath(keys))
}

fn unescape(key: &str) -> Option<String> {
    let mut out = String::with_capacity(key.len());
    let mut chars = key.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '~' => match chars.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            c => c,
        });
    }
    Some(out)
}

/// A path as text that reads back as the same path.
pub(super) fn path_text(path: &FieldPath) -> String {
    let plain = path.0.iter().all(|key| !key.is_empty() && !key.contains('.'));
    if plain && !path.0[0].starts_with('/') {
        return path.0.join(".");
    }
    path.0.iter().fold(String::new(), |text, key| text + "/" + &key.replace('~', "~0").replace('/', "~1"))
}

/// A mapping as it is written.
pub(super) fn to_raw(mapping: &Mapping) -> RawMapping {
    if mapping.name != CUSTOM {
        return RawMapping::Named(mapping.name.clone());
    }
    RawMapping::Custom(RawFields {
        voter: path_text(&mapping.voter),
        region: mapping.region.as_ref().map(path_text),
        candidate: OneOrMore(mapping.candidate.iter().map(path_text).collect()),
        gender: mapping.gender.as_ref().map(path_text),
        age: mapping.age.as_ref().map(path_text),
        time: mapping.time.as_ref().map(|(path, _)| path_text(path)),
        time_format: mapping.time.as_ref().map(|(_, format)| match format {
            TimeFormat::Rfc3339 => "rfc3339".to_owned(),
            TimeFormat::UnixMillis => "unix_ms".to_owned(),
            TimeFormat::Local(pattern) => pattern.clone(),
        }),
    })
}
