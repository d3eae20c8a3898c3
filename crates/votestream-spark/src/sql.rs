//! Writing SQL: literals, layers of columns. What is written is in other files.

/// A text literal.
pub(crate) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        if matches!(c, '\'' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('\'');
    out
}

/// Stands between texts that are put together to be taken apart again; no JSON text holds it.
pub(crate) const MARK: &str = "\u{1}";

/// A list of texts, as one literal: Spark looks at each expression of a query many times before it runs it, at a list of literals as often as there
/// are entries, and evaluates this one once.
pub(crate) fn texts<'t>(entries: impl Iterator<Item = &'t str> + Clone) -> String {
    if entries.clone().any(|entry| entry.contains(MARK)) {
        return format!("array({})", entries.map(text).collect::<Vec<_>>().join(","));
    }
    let entries: Vec<&str> = entries.collect();
    format!("split({}, {})", text(&entries.join(MARK)), text(MARK))
}

/// A list of numbers of an integer type of Spark's, likewise; `None` is NULL.
pub(crate) fn numbers(kind: &str, entries: impl Iterator<Item = Option<i64>>) -> String {
    let entries: Vec<String> =
        entries.map(|entry| entry.map(|n| n.to_string()).unwrap_or_default()).collect();
    format!("CAST(split('{}', ',') AS ARRAY<{kind}>)", entries.join(","))
}

/// A query of layers, each of which uses columns of the one below, so that what is used more than once is evaluated once. Spark copies a row
/// from each layer to the next: there should be few, and nothing in them that is not needed further up.
pub(crate) struct Layers(String);

impl Layers {
    /// Begins with a query.
    pub(crate) fn on(query: String) -> Self {
        Self(query)
    }

    /// Keeps some columns and adds others, which do not use each other.
    pub(crate) fn layer(self, kept: &str, added: &[(String, String)]) -> Self {
        let added: Vec<String> = added.iter().map(|(name, sql)| format!(", {sql} AS {name}")).collect();
        Self(format!("SELECT {kept}{} FROM ({})", added.concat(), self.0))
    }

    /// Ends with what is wanted of it.
    pub(crate) fn select(self, columns: &str) -> String {
        format!("SELECT {columns} FROM ({})", self.0)
    }
}

/// A decision tree over ascending bounds: `leaves[0]` below the first bound, `leaves[i]` from `bounds[i − 1]` on. As deep as the number of
/// bounds has bits.
pub(crate) fn tree(value: &str, bounds: &[i64], leaves: &[String]) -> String {
    match (bounds.len(), leaves) {
        (_, [leaf]) => leaf.clone(),
        (0, _) => "NULL".to_owned(),
        (n, _) => {
            let middle = n / 2;
            let low = tree(value, &bounds[..middle], &leaves[..=middle]);
            let high = tree(value, &bounds[middle + 1..], &leaves[middle + 1..]);
            format!("CASE WHEN {value} < {} THEN {low} ELSE {high} END", bounds[middle])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_stay_within_a_literal() {
        assert_eq!(text(r"it's \x"), r"'it\'s \\x'");
    }

    #[test]
    fn lists_are_one_literal_where_nothing_in_them_is_what_parts_them() {
        assert_eq!(texts(["it's", ""].into_iter()), "split('it\\'s\u{1}', '\u{1}')");
        assert_eq!(texts(["a\u{1}b", "c"].into_iter()), "array('a\u{1}b','c')");
        let ages = [Some(-1), None, Some(3)];
        assert_eq!(numbers("INT", ages.into_iter()), "CAST(split('-1,,3', ',') AS ARRAY<INT>)");
    }

    #[test]
    fn a_tree_finds_each_stretch() {
        let leaves: Vec<String> = (0..4).map(|n| n.to_string()).collect();
        assert_eq!(tree("x", &[], &leaves[..1]), "0");
        assert_eq!(
            tree("x", &[10, 20, 30], &leaves),
            "CASE WHEN x < 20 THEN CASE WHEN x < 10 THEN 0 ELSE 1 END ELSE CASE WHEN x < 30 THEN 2 ELSE 3 END END"
        );
    }
}
