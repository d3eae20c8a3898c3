//! `cargo +nightly fuzz run event`: any bytes as a record, before and after a valid one, under each built-in mapping.
//!
//! Judging must not panic, must not depend on what was judged before, and must agree with serde_json on what is a JSON object.
//! A good corpus: lines of `votestream simulate --faults invalid=0.5`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use votestream_election::event::{EventParser, VALUE_BYTES_MAX};
use votestream_election::{Election, Millis, RejectReason};

const LOGGED: Millis = Millis(1_730_836_800_000);

const VALID: [&[u8]; 2] = [
    br#"{"id":1234567890123456,"gender":"Female","age":41,"state":"Ohio","decision":"Kamala Harris"}"#,
    br#"{"voter_id":"a","address":{"street":"1 Main","state":"OH"},"candidate_name":"Jill Stein","registered_age":41}"#,
];

thread_local! {
    /// Parsers that have judged all that came before.
    static PARSERS: RefCell<Vec<(Election, EventParser)>> = RefCell::new(parsers());
}

fn parsers() -> Vec<(Election, EventParser)> {
    let president = Election::preset("us-president-2024").expect("a preset");
    let nested = president.clone().with_mapping("votestream").expect("a mapping");
    let poll = Election::preset("poll").expect("a preset");
    [president, nested, poll].map(|election| (election.clone(), EventParser::new(&election))).into()
}

fuzz_target!(|data: &[u8]| {
    PARSERS.with_borrow_mut(|parsers| {
        for (election, parser) in parsers {
            let outcome = parser.judge(Some(data), LOGGED, false);
            assert_eq!(outcome == Err(RejectReason::TooLarge), data.len() > VALUE_BYTES_MAX);
            if data.len() <= VALUE_BYTES_MAX {
                assert_eq!(outcome != Err(RejectReason::Malformed), is_object(data));
            }
            for valid in VALID {
                let _ = parser.judge(Some(valid), LOGGED, false);
                assert_eq!(parser.judge(Some(data), LOGGED, false), outcome);
            }
            assert_eq!(EventParser::new(election).judge(Some(data), LOGGED, false), outcome);
            if let Ok(vote) = outcome {
                let mut text = Vec::new();
                parser.canonical_text(vote.voter, &mut text);
                assert_eq!(parser.voter_text(data).expect("it has a voter").as_bytes(), text);
            }
        }
    });
});

fn is_object(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let starts = text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{');
    starts && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}
