//! Which election is meant: a preset, a file, or one that the store already holds.

use crate::args::{Duplicate, ElectionArgs};
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use votestream_election::Election;
use votestream_election::definition::{PRESETS, US_PRESIDENT_2024};
use votestream_election::election::DuplicatePolicy;
use votestream_election::photo::PHOTO_BYTES_MAX;
use votestream_store::ReaderStore;

/// The election of commands that make or read votes: a preset or a file; `us-president-2024` by default.
pub fn defined(args: &ElectionArgs) -> Result<Election> {
    let name = args.election.as_deref().unwrap_or(US_PRESIDENT_2024);
    let election = match Election::preset(name) {
        Some(preset) => preset,
        None => from_file(name)?,
    };
    overridden(election, args)
}

fn from_file(name: &str) -> Result<Election> {
    let path = Path::new(name);
    if !path.exists() {
        bail!(
            "no election '{name}': neither a preset ({}) nor a file; write one with `votestream init {name}`",
            PRESETS.join(", ")
        );
    }
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the election definition '{name}'"))?;
    let beside = path.parent().unwrap_or(Path::new(""));
    Ok(Election::from_toml_with(&text, name, &|file| picture(&beside.join(file)))?)
}

/// Reads a picture, no further than a picture may go.
fn picture(path: &Path) -> Result<Vec<u8>, String> {
    let read = || {
        // Asked before it is opened: opening a pipe would wait for its writer.
        if !path.metadata()?.is_file() {
            return Err(io::Error::other("it is no plain file"));
        }
        let mut bytes = Vec::new();
        File::open(path)?.take(PHOTO_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|error: io::Error| error.to_string())
}

/// The election with what is typed in place of what it says.
pub fn overridden(mut election: Election, args: &ElectionArgs) -> Result<Election> {
    if let Some(mapping) = &args.mapping {
        election = election.with_mapping(mapping)?;
    }
    if let Some(policy) = args.duplicate {
        election = election.with_duplicate(match policy {
            Duplicate::First => DuplicatePolicy::First,
            Duplicate::Last => DuplicatePolicy::Last,
        });
    }
    Ok(election)
}

/// The election of `count`: where none is named and the store holds exactly one, that one; else as [`defined`].
pub fn counted(args: &ElectionArgs, store: &ReaderStore) -> Result<Election> {
    let heads = store.elections()?;
    let (None, [only]) = (&args.election, &heads[..]) else { return defined(args) };
    let stored = store.election(Some(&only.id))?;
    let wanted = overridden(stored.clone(), args)?;
    if wanted != stored {
        bail!(
            "election '{}' was created in this store with mapping {} and duplicate = {:?}; leave --mapping and --duplicate out, or start a new store",
            stored.id,
            stored.mapping.name,
            stored.duplicate
        );
    }
    Ok(stored)
}

/// The election of commands that show a store: by id, by a preset's or a file's id, or the only one.
pub fn stored(args: &ElectionArgs, store: &ReaderStore) -> Result<Election> {
    let Some(name) = args.election.as_deref() else { return Ok(store.election(None)?) };
    let ids: Vec<String> = store.elections()?.into_iter().map(|e| e.id).collect();
    if ids.iter().any(|id| id == name) || !Path::new(name).exists() {
        return Ok(store.election(Some(name))?);
    }
    Ok(store.election(Some(&from_file(name)?.id))?)
}
