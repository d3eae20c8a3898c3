//! Which of our crates may depend on which: the table of ARCHITECTURE.md, held against `cargo metadata`.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::process::Command;

/// Each crate with those of ours that it may depend on.
const ALLOWED: &[(&str, &[&str])] = &[
    ("votestream-election", &[]),
    ("votestream-log", &["votestream-election"]),
    ("votestream-store", &["votestream-election"]),
    ("votestream-sim", &["votestream-election"]),
    ("votestream-archive", &["votestream-election"]),
    ("votestream-spark", &["votestream-election"]),
    (
        "votestream-engine",
        &[
            "votestream-election",
            "votestream-log",
            "votestream-store",
            "votestream-archive",
            "votestream-sim",
        ],
    ),
    ("votestream-server", &["votestream-election", "votestream-log", "votestream-store"]),
    ("votestream-web", &[]),
    (
        "votestream",
        &[
            "votestream-election",
            "votestream-log",
            "votestream-store",
            "votestream-archive",
            "votestream-spark",
            "votestream-sim",
            "votestream-engine",
            "votestream-server",
            "votestream-web",
        ],
    ),
    ("xtask", &[]),
];

/// What only one crate may know.
const ALONE: &[(&str, &[&str])] = &[
    ("rusqlite", &["votestream-store"]),
    ("axum", &["votestream-server"]),
    // The binary only for the reference that `bench` measures beside the log.
    ("lz4_flex", &["votestream-log", "votestream"]),
    ("rdkafka", &["votestream-log"]),
    ("openssl-sys", &["votestream-log"]),
    ("kafka-protocol", &["votestream-log"]),
    ("tokio-postgres", &["votestream-store"]),
    ("parquet", &["votestream-archive"]),
    ("object_store", &["votestream-archive"]),
    ("ratatui", &["votestream"]),
    ("apache-spark-connect", &["votestream-spark"]),
    ("apache-spark-connect-core", &["votestream-spark"]),
    ("apache-spark-connect-proto", &["votestream-spark"]),
];

/// The workspace as Cargo sees it.
pub fn metadata() -> Result<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked"])
        .output()
        .context("cannot run cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Every edge that the table does not allow, in words.
pub fn check(metadata: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for package in list(&metadata["packages"]).iter().filter(|p| p["source"].is_null()) {
        let name = text(&package["name"]);
        let Some((_, allowed)) = ALLOWED.iter().find(|(n, _)| *n == name) else {
            faults.push(format!(
                "{name} is not in the table of crates (xtask/src/edges.rs and ARCHITECTURE.md)"
            ));
            continue;
        };
        for dependency in list(&package["dependencies"]).iter().filter(|d| d["kind"].is_null()) {
            let on = text(&dependency["name"]);
            if on.starts_with("votestream") && !allowed.contains(&on) {
                faults.push(format!("{name} depends on {on}, which the architecture does not allow"));
            }
            if let Some((_, who)) = ALONE.iter().find(|(d, _)| *d == on)
                && !who.contains(&name)
            {
                faults.push(format!("{name} depends on {on}, which only {} may know", who.join(", ")));
            }
        }
    }
    faults
}

/// The items of a JSON array; none where it is no array.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A JSON text; empty where it is none.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_crate_depends_on_what_the_architecture_does_not_allow() {
        assert_eq!(check(&metadata().unwrap()), Vec::<String>::new());
    }

    #[test]
    fn an_edge_that_is_not_allowed_is_found() {
        let package = |name: &str, on: &str| json!({"packages": [{"name": name, "source": null, "dependencies": [{"name": on, "kind": null}]}]});
        assert_eq!(check(&package("votestream-engine", "votestream-server")).len(), 1);
        assert_eq!(check(&package("votestream-server", "votestream-engine")).len(), 1);
        assert_eq!(check(&package("votestream-server", "rusqlite")).len(), 1);
        assert_eq!(check(&package("votestream-unheard-of", "serde")).len(), 1);
        assert_eq!(check(&package("votestream-engine", "votestream-log")), Vec::<String>::new());
    }
}
