//! Rows of a CSV file with a header (RFC 4180), each rewritten as the JSON object that its columns name. A row that does not fit the
//! header is kept as it is, so that it is counted as malformed rather than dropped.

/// Puts lines together to rows: a quoted field may hold line breaks. A quote that does not close within a record's length is none: its
/// line is a row alone, and the lines behind it are looked at afresh.
#[derive(Default)]
pub struct CsvLines {
    held: Vec<Vec<u8>>,
    bytes: usize,
}

impl CsvLines {
    /// Takes a line, blank ones included, and gives each row that it completes.
    pub fn line(&mut self, line: &[u8], mut row: impl FnMut(&[u8])) {
        if self.held.is_empty() && !ends_in_quotes(line) {
            if !super::is_blank(line) {
                row(line);
            }
            return;
        }
        self.bytes += line.len() + 1;
        self.held.push(line.to_vec());
        if self.bytes > super::RECORD_BYTES_MAX {
            self.give_up(&mut row);
        } else {
            let joined = self.held.join(&b'\n');
            if !ends_in_quotes(&joined) {
                self.held.clear();
                self.bytes = 0;
                row(&joined);
            }
        }
    }

    /// The input has ended: lines still held are rows of their own.
    pub fn finish(&mut self, mut row: impl FnMut(&[u8])) {
        while !self.held.is_empty() {
            self.give_up(&mut row);
        }
    }

    fn give_up(&mut self, row: &mut impl FnMut(&[u8])) {
        let held = std::mem::take(&mut self.held);
        self.bytes = 0;
        let mut lines = held.iter();
        if let Some(first) = lines.next() {
            row(first);
        }
        for line in lines {
            self.line(line, &mut *row as &mut dyn FnMut(&[u8]));
        }
    }
}

/// Whether a quoted field is still open at the row's end.
fn ends_in_quotes(row: &[u8]) -> bool {
    let mut rest = row;
    loop {
        if let Some(quoted) = rest.strip_prefix(b"\"") {
            let Some((_, behind)) = quoted_field(quoted) else { return true };
            match behind.split_first() {
                Some((b',', next)) => rest = next,
                _ => return false,
            }
        } else {
            match memchr::memchr(b',', rest) {
                Some(end) => rest = &rest[end + 1..],
                None => return false,
            }
        }
    }
}

/// Turns rows into JSON objects.
pub struct CsvRows {
    columns: Vec<Vec<String>>,
    fields: Vec<Option<Vec<u8>>>,
}

impl CsvRows {
    /// Reads the header. Dots in a name make nested objects (`address.state`).
    pub fn from_header(line: &[u8]) -> Option<Self> {
        let mut fields = Vec::new();
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        split(line, &mut fields)?;
        let name = |f: &Option<Vec<u8>>| String::from_utf8(f.clone().unwrap_or_default()).ok();
        let names: Vec<String> = fields.iter().map(name).collect::<Option<_>>()?;
        if names.len() < 2 || names.iter().any(|n| n.trim().is_empty()) {
            return None;
        }
        let columns = names.iter().map(|n| n.trim().split('.').map(str::to_owned).collect()).collect();
        Some(Self { columns, fields })
    }

    /// Whether the header names this column.
    pub fn has(&self, path: &[String]) -> bool {
        self.columns.iter().any(|c| c == path)
    }

    /// Writes a row as JSON; false where it does not fit the header. An unquoted empty field is left out; an unquoted integer is a number.
    pub fn row(&mut self, line: &[u8], out: &mut Vec<u8>) -> bool {
        let mut fields = std::mem::take(&mut self.fields);
        fields.clear();
        let fits = split(line, &mut fields).is_some() && fields.len() == self.columns.len();
        if fits {
            let present: Vec<(&[String], &[u8])> = self
                .columns
                .iter()
                .zip(&fields)
                .filter_map(|(column, field)| Some((&column[..], field.as_deref()?)))
                .collect();
            object(&present, out);
        }
        self.fields = fields;
        fits
    }
}

/// One object of these paths; paths with a common first key share a nested object.
fn object(fields: &[(&[String], &[u8])], out: &mut Vec<u8>) {
    out.push(b'{');
    let mut done: Vec<&str> = Vec::new();
    for (path, value) in fields {
        let Some((key, rest)) = path.split_first() else { continue };
        if done.contains(&key.as_str()) {
            continue;
        }
        if !done.is_empty() {
            out.push(b',');
        }
        done.push(key);
        string(key.as_bytes(), out);
        out.push(b':');
        if rest.is_empty() {
            scalar(value, out);
        } else {
            let inner: Vec<_> =
                fields.iter().filter(|(p, _)| p.first() == Some(key)).map(|(p, v)| (&p[1..], *v)).collect();
            object(&inner, out);
        }
    }
    out.push(b'}');
}

fn scalar(value: &[u8], out: &mut Vec<u8>) {
    let digits = !value.is_empty() && value.len() <= 20 && value.iter().all(u8::is_ascii_digit);
    if digits && (value == b"0" || value[0] != b'0') {
        out.extend_from_slice(value);
    } else {
        string(value, out);
    }
}

fn string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(*byte),
        }
    }
    out.push(b'"');
}

/// Splits a row; an unquoted empty field is `None`. `None` in all where quotes do not match.
fn split(line: &[u8], fields: &mut Vec<Option<Vec<u8>>>) -> Option<()> {
    let mut rest = line;
    loop {
        if let Some(quoted) = rest.strip_prefix(b"\"") {
            let (field, behind) = quoted_field(quoted)?;
            fields.push(Some(field));
            match behind.split_first() {
                None => return Some(()),
                Some((b',', next)) => rest = next,
                Some(_) => return None,
            }
        } else {
            let end = memchr::memchr(b',', rest);
            let field = rest[..end.unwrap_or(rest.len())].trim_ascii();
            if field.contains(&b'"') {
                return None;
            }
            fields.push((!field.is_empty()).then(|| field.to_vec()));
            match end {
                None => return Some(()),
                Some(end) => rest = &rest[end + 1..],
            }
        }
    }
}

fn quoted_field(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut field = Vec::new();
    loop {
        let quote = memchr::memchr(b'"', rest)?;
        field.extend_from_slice(&rest[..quote]);
        rest = &rest[quote + 1..];
        match rest.strip_prefix(b"\"") {
            Some(next) => {
                field.push(b'"');
                rest = next;
            }
            None => return Some((field, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, row: &str, expect: Option<&str>) {
        let mut rows = CsvRows::from_header(header.as_bytes()).unwrap();
        let mut out = Vec::new();
        let fits = rows.row(row.as_bytes(), &mut out);
        assert_eq!(fits.then(|| String::from_utf8(out).unwrap()).as_deref(), expect);
    }

    #[test]
    fn a_row_becomes_the_object_that_its_columns_name() {
        check("id,age,state", "12,41,Ohio", Some(r#"{"id":12,"age":41,"state":"Ohio"}"#));
        check("id,age,state", "012,,\"New \"\"York\"\"\"", Some(r#"{"id":"012","state":"New \"York\""}"#));
        check(
            "id, address.state ,address.city",
            "1,OH,\"a,b\"",
            Some(r#"{"id":1,"address":{"state":"OH","city":"a,b"}}"#),
        );
    }

    #[test]
    fn a_quoted_field_may_hold_line_breaks_and_a_lost_quote_costs_one_line() {
        let check = |lines: &[&str], expect: &[&str]| {
            let (mut csv, mut rows) = (CsvLines::default(), Vec::new());
            for line in lines {
                csv.line(line.as_bytes(), |row| rows.push(String::from_utf8(row.to_vec()).unwrap()));
            }
            csv.finish(|row| rows.push(String::from_utf8(row.to_vec()).unwrap()));
            assert_eq!(rows, expect);
        };
        check(&["1,a", "", "2,\"b", "", "c\"", "3,d"], &["1,a", "2,\"b\n\nc\"", "3,d"]);
        check(&["1,\"a", "2,b", "3,c"], &["1,\"a", "2,b", "3,c"]);
    }

    #[test]
    fn a_row_that_does_not_fit_is_not_made_to() {
        check("id,age", "1", None);
        check("id,age", "1,2,3", None);
        check("id,age", "\"1,2", None);
    }
}
