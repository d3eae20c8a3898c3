//! The house's rules that a search can see: a file says what it is for, and is one room.

use anyhow::{Context, Result};
use std::process::Command;

/// Longest file without its tests, in lines.
const LINES_MAX: usize = 500;

/// Every file that breaks a rule.
pub fn check() -> Result<Vec<String>> {
    let output =
        Command::new("git").args(["ls-files", "*.rs"]).output().context("cannot run git ls-files")?;
    let mut faults = Vec::new();
    for file in String::from_utf8(output.stdout)?.lines() {
        let Ok(text) = std::fs::read_to_string(file) else { continue };
        faults.extend(faults_of(file, &text));
    }
    Ok(faults)
}

fn faults_of(file: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if !text.starts_with("//!") && !text.starts_with("#!") {
        faults.push(format!("{file} does not open with //! saying what it is for"));
    }
    let body = text.split("#[cfg(test)]").next().unwrap_or_default();
    let is_test = file.contains("/tests/") || file.ends_with("tests.rs") || file.contains("/benches/");
    if !is_test && body.lines().count() > LINES_MAX {
        faults.push(format!("{file} has {} lines; is it one room?", body.lines().count()));
    }
    for (i, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("#[ignore") {
            faults.push(format!("{file}:{}: an ignored test", i + 1));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::faults_of;

    #[test]
    fn rules_find_what_breaks_them() {
        assert_eq!(faults_of("src/a.rs", "//! Fine.\n"), Vec::<String>::new());
        assert_eq!(faults_of("src/a.rs", "fn a() {}\n").len(), 1);
        assert_eq!(faults_of("src/a.rs", &format!("//! Long.\n{}", "\n".repeat(600))).len(), 1);
        assert_eq!(faults_of("src/a.rs", "//! A.\n#[ignore]\n").len(), 1);
    }
}
