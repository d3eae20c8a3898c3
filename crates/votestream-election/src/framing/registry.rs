//! Values as schema-registry serializers write them: a magic byte 0, the schema's id in four bytes (big-endian, from 1), then the
//! payload. With JSON Schema the payload is JSON and is read as if it stood alone; Avro and Protobuf cannot be read without the schema.
//! What is to be done with a value that cannot be read is the caller's business.

/// The first byte of every value that such a serializer writes.
const MAGIC: u8 = 0;
/// Magic byte and schema id.
const HEADER_BYTES: usize = 5;

/// How a value is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing<'a> {
    /// No frame: the value is the event.
    Plain,
    /// JSON Schema: the event without its frame.
    Json(&'a [u8]),
    /// Avro or Protobuf, or anything else that is no JSON object.
    Binary {
        /// The schema's id in the registry that the producer used.
        schema_id: u32,
    },
}

/// Looks at a value's first bytes. No JSON text begins with a byte 0, so that nothing that could be a vote is taken for framed.
#[inline]
pub fn unframe(value: &[u8]) -> Framing<'_> {
    if value.first() == Some(&MAGIC) { framed(value) } else { Framing::Plain }
}

#[cold]
fn framed(value: &[u8]) -> Framing<'_> {
    let Some((&[_, a, b, c, d], payload)) = value.split_first_chunk::<HEADER_BYTES>() else {
        return Framing::Plain;
    };
    let schema_id = u32::from_be_bytes([a, b, c, d]);
    // Registries number from 1 and in 31 bits: a row of zeros, or anything else, is just a damaged value.
    if schema_id == 0 || i32::try_from(schema_id).is_err() {
        return Framing::Plain;
    }
    // As the first byte of Avro's or Protobuf's payload, `{` would be the length or index -62.
    if payload.trim_ascii_start().first() == Some(&b'{') {
        Framing::Json(payload)
    } else {
        Framing::Binary { schema_id }
    }
}

/// The event within a value: without its frame where that can be taken off, else the value as it is.
#[inline]
pub fn event(value: &[u8]) -> &[u8] {
    match unframe(value) {
        Framing::Json(event) => event,
        Framing::Plain | Framing::Binary { .. } => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_value() {
        let check = |value: &[u8], expect: Framing<'_>| assert_eq!(unframe(value), expect, "{value:?}");
        check(b"", Framing::Plain);
        check(br#"{"id":1}"#, Framing::Plain);
        check(b"not json", Framing::Plain);
        check(b"\0\0\0\0\x07{\"id\":1}", Framing::Json(br#"{"id":1}"#));
        check(b"\0\0\0\x01\x02\n {\"id\":1}", Framing::Json(b"\n {\"id\":1}"));
        // Avro: a string of four bytes; Protobuf: message index 0, field 1.
        check(b"\0\0\0\x01\x02\x08Ohio", Framing::Binary { schema_id: 258 });
        check(b"\0\0\0\0\x09\0\x0a\x04Ohio", Framing::Binary { schema_id: 9 });
        check(b"\0\0\0\0\x09", Framing::Binary { schema_id: 9 });
        // Too short, no schema of that number.
        check(b"\0", Framing::Plain);
        check(b"\0\0\0\x09", Framing::Plain);
        check(b"\0\0\0\0\0\0\0\0", Framing::Plain);
        check(b"\0\xff\xff\xff\xff{}", Framing::Plain);
    }

    #[test]
    fn the_event_within() {
        assert_eq!(event(b"\0\0\0\0\x07{}"), b"{}");
        assert_eq!(event(b"{}"), b"{}");
        assert_eq!(event(b"\0\0\0\0\x07\x08"), b"\0\0\0\0\x07\x08");
    }
}
