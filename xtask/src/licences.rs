//! Licences of everything that is linked: only those under which the binary may be given away without conditions on the whole.

use crate::edges::{list, text};
use serde_json::Value;

/// Licences that are fine. A dependency with a choice needs one of them.
const FINE: &[&str] = &[
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "CC0-1.0",
    "Unicode-3.0",
    "Unlicense",
    "BSL-1.0",
    // For data: Mozilla's root certificates, which only builds for other systems take in.
    "CDLA-Permissive-2.0",
];

/// Every package whose licence is not fine.
pub fn check(metadata: &Value) -> Vec<String> {
    let packages = list(&metadata["packages"]).iter().filter(|p| !p["source"].is_null());
    packages
        .filter(|p| !fine(text(&p["license"])))
        .map(|p| {
            format!("{} {} has licence '{}'", text(&p["name"]), text(&p["version"]), text(&p["license"]))
        })
        .collect()
}

/// Whether an SPDX expression can be met by fine licences alone.
fn fine(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ").replace(['(', ')'], " ");
    // "A AND (B OR C)" without its brackets is read strictly: each part of an AND needs a fine choice.
    expression.split(" AND ").all(|part| part.split(" OR ").any(|licence| FINE.contains(&licence.trim())))
}

#[cfg(test)]
mod tests {
    use super::fine;

    #[test]
    fn a_choice_needs_one_and_a_sum_needs_all() {
        for good in ["MIT", "MIT/Apache-2.0", "GPL-3.0 OR MIT", "(MIT OR Apache-2.0) AND Unicode-3.0"] {
            assert!(fine(good), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0"] {
            assert!(!fine(bad), "{bad}");
        }
    }
}
