//! What is wrong with a definition: file, line, field, what is wrong and what to do. Finding the line is here; finding the fault is
//! `validate`'s business.

use std::fmt;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A definition that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}{}: {problem}; {help}", Line(*line), Field(field.as_deref()))]
pub struct DefinitionError {
    /// The file's name as given, or what stands in for one (`preset "poll"`, `stored definition`).
    pub file: String,
    /// The line, counted from 1, where the text tells.
    pub line: Option<usize>,
    /// The field, such as `regions[3].seats`.
    pub field: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub help: String,
}

struct Line(Option<usize>);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |line| write!(f, ", line {line}"))
    }
}

struct Field<'a>(Option<&'a str>);

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |field| write!(f, ", {field}"))
    }
}

/// A step on the way to a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// The way to a field, from the top of the definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Path(pub Vec<Step>);

impl Path {
    pub(super) fn key(name: &str) -> Self {
        Self(vec![Step::Key(name.to_owned())])
    }

    /// `list[index].name`
    pub(super) fn item(list: &str, index: usize, name: &str) -> Self {
        Self(vec![Step::Key(list.to_owned()), Step::Index(index), Step::Key(name.to_owned())])
    }

    /// `list[index]`
    pub(super) fn index(list: &str, index: usize) -> Self {
        Self(vec![Step::Key(list.to_owned()), Step::Index(index)])
    }

    /// `table.name`
    pub(super) fn sub(table: &str, name: &str) -> Self {
        Self(vec![Step::Key(table.to_owned()), Step::Key(name.to_owned())])
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if i == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// A fault in a field, before file and line are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub path: Path,
    pub problem: String,
    pub help: String,
}

impl Fault {
    pub(super) fn new(path: Path, problem: impl Into<String>, help: impl Into<String>) -> Self {
        Self { path, problem: problem.into(), help: help.into() }
    }

    /// The fault as an error in `file`, on the line where `text`, as TOML, holds the field.
    pub(super) fn in_file(self, file: &str, text: Option<&str>) -> DefinitionError {
        let line = text.and_then(|text| DeTable::parse(text).ok().map(|table| (text, table)));
        let line = line.and_then(|(text, table)| {
            let span = span_of(table.get_ref(), &self.path)?;
            Some(line_at(text, span.start))
        });
        DefinitionError {
            file: file.to_owned(),
            line,
            field: Some(self.path.to_string()),
            problem: self.problem,
            help: self.help,
        }
    }
}

/// A TOML text that does not parse, or whose fields do not fit, as an error in `file`.
pub(super) fn toml_error(error: &toml::de::Error, file: &str, text: &str) -> DefinitionError {
    let span = error.span();
    let field = span.as_ref().and_then(|span| {
        let table = DeTable::parse(text).ok()?;
        let mut path = Path::default();
        path_at(table.get_ref(), span, &mut path);
        (!path.0.is_empty()).then(|| path.to_string())
    });
    let message = error.message().trim().replace('\n', ", ");
    let help = if message.starts_with("unknown field") {
        "correct or remove the key; `votestream init` writes an example with every key explained"
    } else if message.starts_with("missing field") {
        "add the key; `votestream init` writes an example with every key explained"
    } else {
        "`votestream init` writes an example to compare with"
    };
    DefinitionError {
        file: file.to_owned(),
        line: span.map(|span| line_at(text, span.start)),
        field,
        problem: message,
        help: help.to_owned(),
    }
}

/// The line, counted from 1, that holds byte `at`.
fn line_at(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].split(|b| *b == b'\n').count()
}

/// Where the field at `path` stands, or the deepest part of the way to it that is there.
fn span_of(table: &DeTable<'_>, path: &Path) -> Option<Range<usize>> {
    let Some(Step::Key(first)) = path.0.first() else { return None };
    let (key, mut at) = table.get_key_value(first.as_str())?;
    let mut span = key.span();
    for step in &path.0[1..] {
        let next = match step {
            Step::Key(key) => at.get_ref().as_table().and_then(|t| t.get(key.as_str())),
            Step::Index(index) => at.get_ref().as_array().and_then(|a| a.get(*index)),
        };
        let Some(next) = next else { break };
        span = next.span();
        at = next;
    }
    Some(span)
}

/// The deepest field that holds `span`; whether there is one. A table under a `[header]` spans its header only, so that what is in it is
/// searched whatever it spans.
fn path_at(table: &DeTable<'_>, span: &Range<usize>, path: &mut Path) -> bool {
    for (key, value) in table {
        path.0.push(Step::Key(key.get_ref().to_string()));
        if value_at(value, span, path) || holds(&key.span(), span) {
            return true;
        }
        path.0.pop();
    }
    false
}

fn value_at(value: &Spanned<DeValue<'_>>, span: &Range<usize>, path: &mut Path) -> bool {
    let inside = match value.get_ref() {
        DeValue::Table(inner) => path_at(inner, span, path),
        DeValue::Array(items) => items.iter().enumerate().any(|(index, item)| {
            path.0.push(Step::Index(index));
            let found = value_at(item, span, path);
            if !found {
                path.0.pop();
            }
            found
        }),
        _ => false,
    };
    inside || holds(&value.span(), span)
}

fn holds(outer: &Range<usize>, span: &Range<usize>) -> bool {
    outer.start <= span.start && span.end <= outer.end
}
