//! The settings file: keys named as the flags (`-` or `_`), at the top for every command that has them, or in a table named as the command.
//! Settings become flags in front of the typed ones, except where an environment variable speaks.

use crate::args::Cli;
use anyhow::{Context, Result, bail};
use clap::CommandFactory;
use std::ffi::OsString;
use std::path::PathBuf;

/// Adds a settings file's flags to the arguments, right behind the command, so that typed flags, which come later, win.
pub fn with_file(arguments: Vec<OsString>) -> Result<Vec<OsString>> {
    let Some(path) = path_of(&arguments) else { return Ok(arguments) };
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read the settings file '{}'", path.display()))?;
    let settings: toml::Table =
        text.parse().with_context(|| format!("the settings file '{}' is not valid TOML", path.display()))?;
    let cli = Cli::command();
    let Some((at, command)) =
        arguments.iter().enumerate().skip(1).find_map(|(i, a)| Some((i, cli.find_subcommand(a.to_str()?)?)))
    else {
        return Ok(arguments);
    };
    let typed: Vec<String> = arguments.iter().filter_map(|a| a.to_str().map(str::to_owned)).collect();
    let mut flags = Vec::new();
    for (key, value) in &settings {
        if let toml::Value::Table(section) = value {
            if cli.find_subcommand(key).is_none() {
                bail!("the settings file '{}' has a section [{key}], which is no command", path.display());
            }
            for (key, value) in section.iter().filter(|_| key == command.get_name()) {
                if flag_of(command, key).is_none() {
                    bail!(
                        "the settings file '{}': '{key}' is no setting of `{}`; see votestream {} --help",
                        path.display(),
                        command.get_name(),
                        command.get_name()
                    );
                }
                add(command, key, value, &typed, &mut flags)?;
            }
        } else if flag_of(command, key).is_some() || flag_of(&cli, key).is_some() {
            if !settings.get(command.get_name()).and_then(|s| s.get(key)).is_some_and(|_| true) {
                add(command, key, value, &typed, &mut flags)?;
            }
        } else if !cli.get_subcommands().any(|c| flag_of(c, key).is_some()) {
            bail!(
                "the settings file '{}': '{key}' is no setting; settings are named as the flags, without the dashes",
                path.display()
            );
        }
    }
    let mut all = arguments;
    let typed_flags = all.split_off(at + 1);
    all.extend(flags);
    all.extend(typed_flags);
    Ok(all)
}

/// Where the settings file is, if one is named.
fn path_of(arguments: &[OsString]) -> Option<PathBuf> {
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let text = argument.to_string_lossy();
        if text == "--" {
            break;
        }
        if text == "--config" {
            return rest.next().map(PathBuf::from);
        }
        if let Some(path) = text.strip_prefix("--config=") {
            return Some(path.into());
        }
    }
    std::env::var_os("VOTESTREAM_CONFIG").map(PathBuf::from)
}

fn flag_of<'a>(command: &'a clap::Command, key: &str) -> Option<&'a clap::Arg> {
    let key = key.replace('_', "-");
    command.get_arguments().find(|a| a.get_long() == Some(&key) && key != "config")
}

/// One setting as a flag, unless it was typed or the environment sets it.
fn add(
    command: &clap::Command,
    key: &str,
    value: &toml::Value,
    typed: &[String],
    flags: &mut Vec<OsString>,
) -> Result<()> {
    let long = format!("--{}", key.replace('_', "-"));
    let is_typed = typed.iter().any(|t| *t == long || t.starts_with(&format!("{long}=")));
    let from_environment = flag_of(command, key)
        .and_then(clap::Arg::get_env)
        .is_some_and(|name| std::env::var_os(name).is_some());
    if is_typed || from_environment {
        return Ok(());
    }
    match value {
        toml::Value::Boolean(true) => flags.push(long.into()),
        toml::Value::Boolean(false) => {}
        toml::Value::String(text) => flags.push(format!("{long}={text}").into()),
        toml::Value::Integer(number) => flags.push(format!("{long}={number}").into()),
        toml::Value::Float(number) => flags.push(format!("{long}={number}").into()),
        toml::Value::Array(items) => {
            for item in items {
                add(command, key, item, &[], flags)?;
            }
        }
        other => bail!("the setting '{key}' cannot be a {}", other.type_str()),
    }
    Ok(())
}
