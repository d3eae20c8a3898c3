//! The named points at which tests kill the process. Without the feature `failpoints` they cost nothing.

/// Aborts the process here when `FAILPOINTS` says so for `name` (action `return`), or runs what a test has set for it.
#[inline]
pub(crate) fn point(name: &'static str) {
    debug_assert!(crate::FAIL_POINTS.contains(&name), "fail point {name} is listed in FAIL_POINTS");
    fail::fail_point!(name, |_| std::process::abort());
}
