//! Points at which tests end the process, to show that no instant between two steps loses or doubles a vote. Nothing here acts unless
//! the crate is built with the feature `failpoints` and the point is configured (`FAILPOINTS="store-after-fence=return"`).

/// Every fail point of this crate; configured with the action `return`, each aborts the process.
pub const FAIL_POINTS: &[&str] = &[
    "store-after-schema",
    "store-after-create",
    "store-after-begin",
    "store-after-fence",
    "store-after-tally",
    "store-after-timeline",
    "store-after-seen",
    "store-after-rejects",
    "store-before-commit",
    "store-after-commit",
    "store-takeover-before-commit",
    "store-takeover-after-commit",
    "store-compact-after-begin",
    "store-compact-after-delete",
    "store-compact-before-commit",
    "store-compact-after-commit",
    "store-desk-before-commit",
    "store-release-before-commit",
    "store-rebuild-before-commit",
];

/// The same of an engine that keeps voters outside the store.
pub const OUTSIDE_FAIL_POINTS: &[&str] = &[
    "store-files-named",
    "store-swap-before-commit",
    "store-seal-before-commit",
    "store-change-fenced",
    "store-change-moved",
    "store-change-before-commit",
];

/// Ends the process, as a kill would, where the fail point of that name is configured with `return`.
macro_rules! crash_point {
    ($name:literal) => {
        fail::fail_point!($name, |_| std::process::abort())
    };
}

#[cfg(test)]
mod tests {
    use super::{FAIL_POINTS, OUTSIDE_FAIL_POINTS};
    use std::{collections::BTreeSet, fs, path::Path};

    /// The names in `text` that follow the macro's own.
    fn points(text: &str, found: &mut BTreeSet<String>) {
        let call = concat!("crash_point", "!(\"");
        found.extend(text.split(call).skip(1).filter_map(|rest| rest.split('"').next()).map(String::from));
    }

    fn collect(dir: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                points(&fs::read_to_string(&path).unwrap(), found);
            }
        }
    }

    #[test]
    fn the_list_names_exactly_the_points_in_the_source() {
        let mut found = BTreeSet::new();
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        let all = [FAIL_POINTS, OUTSIDE_FAIL_POINTS].concat();
        let listed: BTreeSet<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(listed.len(), all.len());
        assert_eq!(listed, found);
    }
}
