//! Elements of one JSON array, each with its own bytes exactly as they stand. Only brackets, strings and commas are looked at: whether
//! an element is valid JSON is for counting to judge.

use super::{Gathered, Piece, is_blank};
use thiserror::Error;

/// What is wrong with the array as a whole.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ArrayError {
    /// The input does not start with `[`.
    #[error("the body is not a JSON array: it does not start with '['")]
    NoArray,
    /// The input ended before its `]`.
    #[error("the JSON array ends before its closing ']'")]
    Open,
    /// Something other than white space follows the `]`.
    #[error("there is text behind the JSON array's closing ']'")]
    Behind,
    /// A comma without an element before or behind it.
    #[error("the JSON array has an empty element")]
    Empty,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    Before,
    Element,
    Behind,
}

/// Cuts an array that arrives in chunks into its elements.
pub struct ArraySplitter {
    at: Where,
    depth: u64,
    in_string: bool,
    escaped: bool,
    /// Elements or commas seen, to tell `[]` from `[,]`.
    begun: bool,
    gathered: Gathered,
    error: Option<ArrayError>,
}

impl Default for ArraySplitter {
    fn default() -> Self {
        Self {
            at: Where::Before,
            depth: 0,
            in_string: false,
            escaped: false,
            begun: false,
            gathered: Gathered::default(),
            error: None,
        }
    }
}

impl ArraySplitter {
    /// Nothing read yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a chunk and gives each element that it completes.
    pub fn feed(&mut self, chunk: &[u8], mut element: impl FnMut(Piece<'_>)) {
        let mut from = 0;
        for (i, byte) in chunk.iter().enumerate() {
            match self.at {
                Where::Before | Where::Behind if byte.is_ascii_whitespace() => from = i + 1,
                Where::Before if *byte == b'[' => {
                    self.at = Where::Element;
                    from = i + 1;
                }
                Where::Before => {
                    self.error.get_or_insert(ArrayError::NoArray);
                    self.at = Where::Element;
                }
                Where::Element => {
                    if self.ends_element(*byte) {
                        self.gathered.push(&chunk[from..i]);
                        from = i + 1;
                        self.end(*byte == b']', &mut element);
                    }
                }
                Where::Behind => {
                    self.error.get_or_insert(ArrayError::Behind);
                    from = i + 1;
                }
            }
        }
        if self.at == Where::Element {
            self.gathered.push(&chunk[from.min(chunk.len())..]);
        }
    }

    /// The input has ended. What was begun and not closed is given as a last piece, and the array's error said.
    pub fn finish(&mut self, mut element: impl FnMut(Piece<'_>)) -> Result<(), ArrayError> {
        if self.at == Where::Element {
            if !is_blank(&self.gathered.kept) {
                element(Piece::of(&self.gathered.kept, self.gathered.length));
            }
            self.error.get_or_insert(ArrayError::Open);
        }
        match self.error {
            Some(error) => Err(error),
            None if self.at == Where::Before => Err(ArrayError::NoArray),
            None => Ok(()),
        }
    }

    /// Follows strings and brackets; true for a comma or `]` that ends an element of the array itself.
    fn ends_element(&mut self, byte: u8) -> bool {
        if self.in_string {
            let escaped = std::mem::replace(&mut self.escaped, false);
            match byte {
                b'\\' if !escaped => self.escaped = true,
                b'"' if !escaped => self.in_string = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'[' | b'{' => self.depth += 1,
            b']' if self.depth == 0 => return true,
            b']' | b'}' => self.depth = self.depth.saturating_sub(1),
            b',' => return self.depth == 0,
            _ => {}
        }
        false
    }

    fn end(&mut self, last: bool, element: &mut impl FnMut(Piece<'_>)) {
        let kept = self.gathered.kept.trim_ascii();
        // White space around an element is not part of it; inside a too large one it does not matter.
        let trimmed = (self.gathered.kept.len() - kept.len()) as u64;
        let length = self.gathered.length - trimmed.min(self.gathered.length);
        if !is_blank(kept) {
            element(Piece::of(kept, length));
        } else if !last || self.begun {
            self.error.get_or_insert(ArrayError::Empty);
        }
        self.begun = true;
        self.gathered.clear();
        if last {
            self.at = Where::Behind;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[&str], end: Result<(), ArrayError>) {
        for cut in 0..=text.len() {
            let mut out = Vec::new();
            let mut splitter = ArraySplitter::new();
            splitter
                .feed(&text.as_bytes()[..cut], |p| out.push(String::from_utf8_lossy(p.bytes).into_owned()));
            splitter
                .feed(&text.as_bytes()[cut..], |p| out.push(String::from_utf8_lossy(p.bytes).into_owned()));
            let ended = splitter.finish(|p| out.push(String::from_utf8_lossy(p.bytes).into_owned()));
            assert_eq!(
                (out.iter().map(String::as_str).collect::<Vec<_>>(), ended),
                (expect.to_vec(), end),
                "{text} cut at {cut}"
            );
        }
    }

    #[test]
    fn elements_keep_their_own_bytes() {
        check(
            r#" [ {"a": [1,2]} ,{"b":"],\"}"}, 3 ] "#,
            &[r#"{"a": [1,2]}"#, r#"{"b":"],\"}"}"#, "3"],
            Ok(()),
        );
        check("[]", &[], Ok(()));
        check("[ \n ]", &[], Ok(()));
    }

    #[test]
    fn a_broken_array_still_gives_every_piece() {
        check("[{\"a\":1},{\"b\"", &["{\"a\":1}", "{\"b\""], Err(ArrayError::Open));
        check("[1,,2]", &["1", "2"], Err(ArrayError::Empty));
        check("[1,]", &["1"], Err(ArrayError::Empty));
        check("[1] x", &["1"], Err(ArrayError::Behind));
        check("", &[], Err(ArrayError::NoArray));
        check("{\"a\":1}", &["{\"a\":1}"], Err(ArrayError::NoArray));
    }
}
