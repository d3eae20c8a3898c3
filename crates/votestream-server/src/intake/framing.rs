//! From a body to records: lines of NDJSON, or the elements of a JSON array with each element's own bytes. Nothing is judged here.

use crate::limits::POST_RECORDS_MAX;
use crate::problem::Problem;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use std::ops::Range;
use votestream_election::framing::is_blank;

/// How the records lie in a body; also how the outcomes are written back unless the client asks otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A record a line.
    Lines,
    /// One JSON array.
    Array,
}

/// The records of a body as ranges of its bytes, in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Framed {
    pub(crate) form: Form,
    pub(crate) records: Vec<Range<usize>>,
}

/// Finds the records of a body. `application/json` that begins with `[` is an array, and one that is a single object is one
/// record; all else is lines, of which blank ones are none.
pub(crate) fn frame(headers: &HeaderMap, body: &Bytes) -> Result<Framed, Problem> {
    let framed = if is_json(headers) { json(body)? } else { lines(body)? };
    if framed.records.is_empty() {
        let detail = "the body holds no record; send one JSON object a line, or a JSON array of them";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "body", "nothing to append", detail));
    }
    Ok(framed)
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    kind.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("application/json")
}

fn json(body: &Bytes) -> Result<Framed, Problem> {
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => array(body),
        Some(b'{') => match serde_json::from_slice::<&RawValue>(body) {
            Ok(one) => Ok(Framed { form: Form::Lines, records: vec![range_in(body, one)] }),
            Err(_) => lines(body),
        },
        _ => lines(body),
    }
}

/// Where in `body` a value that was borrowed from it lies.
fn range_in(body: &[u8], value: &RawValue) -> Range<usize> {
    let start = value.get().as_ptr().addr() - body.as_ptr().addr();
    start..start + value.get().len()
}

fn lines(body: &[u8]) -> Result<Framed, Problem> {
    let mut records = Vec::new();
    let mut start = 0;
    while start < body.len() {
        let end = body[start..].iter().position(|byte| *byte == b'\n').map_or(body.len(), |at| start + at);
        let line = &body[start..end];
        let length = line.strip_suffix(b"\r").unwrap_or(line).len();
        if !is_blank(line) {
            if records.len() == POST_RECORDS_MAX {
                return Err(too_many());
            }
            records.push(start..start + length);
        }
        start = end + 1;
    }
    Ok(Framed { form: Form::Lines, records })
}

fn array(body: &[u8]) -> Result<Framed, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let read = deserializer
        .deserialize_seq(Elements { body })
        .and_then(|records| deserializer.end().map(|()| records));
    match read {
        Ok(records) => Ok(Framed { form: Form::Array, records }),
        Err(error) if error.to_string().starts_with(TOO_MANY) => Err(too_many()),
        Err(error) => {
            let detail =
                format!("the body begins as a JSON array and is none: {error}; nothing was appended");
            Err(Problem::new(StatusCode::BAD_REQUEST, "body", "the JSON array is broken", detail))
        }
    }
}

const TOO_MANY: &str = "too many elements";

fn too_many() -> Problem {
    let detail = format!(
        "more than {POST_RECORDS_MAX} records in one request; send them in several; nothing was appended"
    );
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "the body is too large", detail)
}

struct Elements<'b> {
    body: &'b [u8],
}

impl<'de> Visitor<'de> for Elements<'de> {
    type Value = Vec<Range<usize>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of votes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut records = Vec::new();
        while let Some(element) = seq.next_element::<&'de RawValue>()? {
            if records.len() == POST_RECORDS_MAX {
                return Err(A::Error::custom(TOO_MANY));
            }
            records.push(range_in(self.body, element));
        }
        Ok(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn check(kind: &'static str, body: &'static str, expect: Result<(Form, &[&str]), u16>) {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(kind))]);
        let bytes = Bytes::from_static(body.as_bytes());
        let found = frame(&headers, &bytes);
        let found = found.map_err(|problem| problem.status).map(|framed| {
            (framed.form, framed.records.into_iter().map(|range| &body[range]).collect::<Vec<_>>())
        });
        assert_eq!(found, expect.map(|(form, records)| (form, records.to_vec())), "{kind}: {body:?}");
    }

    #[test]
    fn lines_keep_their_bytes_and_blank_ones_are_none() {
        check(
            "application/x-ndjson",
            "{\"a\":1}\n\n  \t\r\n {\"b\" : 2} \r\nnonsense",
            Ok((Form::Lines, &["{\"a\":1}", " {\"b\" : 2} ", "nonsense"])),
        );
        check("text/plain", "[1,\n2]", Ok((Form::Lines, &["[1,", "2]"])));
        check("", " \n\r\n", Err(400));
        check("application/x-ndjson", "", Err(400));
    }

    #[test]
    fn an_arrays_elements_keep_their_own_bytes() {
        check(
            "application/json",
            " [ {\"a\" : 1.0} ,[2],\n\"x\", null] \n",
            Ok((Form::Array, &["{\"a\" : 1.0}", "[2]", "\"x\"", "null"])),
        );
        check("application/json; charset=utf-8", "[{}]", Ok((Form::Array, &["{}"])));
        check("application/json", "[]", Err(400));
        check("application/json", "[{},]", Err(400));
        check("application/json", "[{}", Err(400));
        check("application/json", "[{}] x", Err(400));
    }

    #[test]
    fn json_that_is_no_array_is_one_object_or_lines() {
        check("application/json", "{\n\"a\": 1\n}\n", Ok((Form::Lines, &["{\n\"a\": 1\n}"])));
        check("application/json", "{\"a\":1}\n{\"a\":2}", Ok((Form::Lines, &["{\"a\":1}", "{\"a\":2}"])));
        check("application/json", "{\"a\":", Ok((Form::Lines, &["{\"a\":"])));
    }

    #[test]
    fn deep_nesting_and_too_many_elements_are_bounded() {
        let deep = format!("[{}{}]", "[".repeat(500_000), "]".repeat(500_000));
        let headers =
            HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        assert_eq!(frame(&headers, &Bytes::from(deep)).unwrap().records.len(), 1);
        let many = Bytes::from(format!("[{}1]", "1,".repeat(POST_RECORDS_MAX)));
        assert_eq!(frame(&headers, &many).unwrap_err().status, 413);
        let many = Bytes::from("1\n".repeat(POST_RECORDS_MAX + 1));
        assert_eq!(frame(&HeaderMap::new(), &many).unwrap_err().status, 413);
    }
}
