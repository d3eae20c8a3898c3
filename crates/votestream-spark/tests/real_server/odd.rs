//! Records that readers of JSON differ about, and one at least for every reason to reject one.

use crate::topic::Draft;
use crate::{NOW, PARTITIONS};
use votestream_election::Election;
use votestream_election::event::EventParser;
use votestream_election::partitioner::murmur2_partition;

/// A record on the partition of its voter, whoever that is; one without a voter lies anywhere.
fn placed(election: &Election, value: &[u8], number: usize) -> Draft {
    let voter = EventParser::new(election).voter_text(value);
    let partition =
        voter.map_or(number as u32 % PARTITIONS, |text| murmur2_partition(text.as_bytes(), PARTITIONS).0);
    Draft {
        partition,
        key: None,
        value: Some(value.to_vec()),
        timestamp: NOW.0 - 60_000 * (number as i64 % 50),
        stub: false,
    }
}

/// Values whose voter is `{}`: a number or a text.
const SHAPES: &[&str] = &[
    r#"{"id":{},"state":"Ohio","decision":"Harris"}"#,
    r#"{"id":{},"state":"oHiO","decision":" harris "}"#,
    r#" { "id" : {} , "state" : "OH" , "decision" : "trump" } "#,
    "\t{\"id\":{},\r\n\"state\":\"OH\",\"decision\":\"trump\"}\n",
    r#"{"id":{},"state":"Ohio","decision":"harris","gender":null,"age":null,"time":null}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","gender":"female","age":"25-34"}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","gender":"MALE","age":150}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","age":151}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","age":17}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","age":18}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","age":0}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","age":-0}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","age":-1}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","age":41.0}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","age":4e1}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","age":"41"}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","age":""}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","age":true}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","age":[41]}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","age":99999999999999999999}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","age":041}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","gender":"Enby"}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","gender":""}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","gender":"Other"}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","gender":"Unknown"}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","gender":5}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","gender":{"a":1}}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","time":"2024-11-06T03:30:00Z"}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","time":"2024-11-05T22:31:00.999999-05:00"}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","time":"2024-11-06 03:32:00.1z"}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","time":"2024-11-06T03:33:00.1234567890123Z"}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","time":"2024-12-31T23:59:60Z"}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","time":"2024-02-30T00:00:00Z"}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","time":"2024-11-06T24:00:00Z"}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","time":"1969-12-31T23:59:59Z"}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","time":"1970-01-01T00:30:00+01:00"}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","time":"2024-11-06T03:30:00+23:59"}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","time":"2024-11-06T03:30:00"}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","time":"2199-11-06T03:30:00Z"}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","time":1730864000000}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","time":"yesterday"}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","extra":{"id":5,"x":[1,2,{"y":null}]}}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","extra":{"id":5,"x":"y"},"more":[1,"a",null,true,-1.5e-7]}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","more":[],"extra":{}}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","more":[1,]}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","":"no name"}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","i\u0064":77}"#,
    r#"{"i\u0064":{},"state":"Ohio","decision":"harris"}"#,
    r#"{"id":{},"state":"\u004fhio","decision":"harris"}"#,
    r#"{"id":{},"state":"Ohio","decision":"har\tris"}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","note":"Grüße, 世界 🗳"}"#,
    r#"{"id":{},"state":"Öhio","decision":"harris"}"#,
    r#"{"id":{},"state":"Ohio","decision":"Kamala  Harris"}"#,
    r#"{"id":{},"state":"Ohio"}"#,
    r#"{"id":{},"decision":"harris"}"#,
    r#"{"id":{},"state":null,"decision":"harris"}"#,
    r#"{"id":{},"state":"","decision":"harris"}"#,
    r#"{"id":{},"state":"Atlantis","decision":"nobody","age":3}"#,
    r#"{"id":{},"state":"Ohio","decision":"nobody","age":3}"#,
    r#"{"id":{},"state":"Ohio","decision":null}"#,
    r#"{"id":{},"state":12,"decision":"harris"}"#,
    r#"{"id":{},"state":"Texas","state":"Ohio","decision":"trump","decision":"harris"}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","decision":null}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","decision":["trump"]}"#,
    r#"{"id":{},"state":"Ohio","state":{"code":"TX"},"decision":"harris"}"#,
    r#"{"id":1,"id":{},"state":"Ohio","decision":"harris"}"#,
    r#"{"id":{},"id":[1],"state":"Ohio","decision":"harris"}"#,
    r#"{"id":{},"id":{"a":1},"state":"Ohio","decision":"harris"}"#,
    r#"{"id":{},"id":null,"state":"Ohio","decision":"harris"}"#,
    r#"{"identity":5,"id":{},"idx":6,"state":"Ohio","decision":"harris"}"#,
    r#"{"ID":5,"id":{},"State":"Texas","state":"Ohio","decision":"harris"}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris",}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris"},"#,
    r#"{"id":{},"state":"Ohio" "decision":"harris"}"#,
    r#"{"id":{},,"state":"Ohio","decision":"harris"}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris"}}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris""#,
    r#"{"id":{},"state":'Ohio',"decision":"harris"}"#,
    r#"{id:{},"state":"Ohio","decision":"harris"}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","x":+1}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","x":.5}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","x":1.}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","x":01}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","x":NaN}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","x":True}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris","x":1e+5,"y":-0.0E-2}"#,
    r#"{"id":{},"state":"Ohio","decision":"harris"} // done"#,
    r#"[{"id":{},"state":"Ohio","decision":"harris"}]"#,
    "{\"id\":{},\"state\":\"Ohio\",\"decision\":\"harris\",\"x\":\"a\u{1}b\"}",
    "\u{1}{\"id\":{},\"state\":\"Ohio\",\"decision\":\"harris\"}",
    "\u{feff}{\"id\":{},\"state\":\"Ohio\",\"decision\":\"harris\"}",
    "{\"id\":{},\"state\":\"Ohio\",\"decision\":\"harris\"}\u{a0}",
    "{\"id\":{},\"state\":\"\u{a0}Ohio\",\"decision\":\"harris\"}",
    "\0\0\0\0\u{7}{\"id\":{},\"state\":\"Ohio\",\"decision\":\"harris\"}",
];

/// Ids as JSON writes them.
const IDS: &[&str] = &[
    "12",
    "\"12\"",
    "0",
    "\"0\"",
    "-0",
    "-1",
    "\"-1\"",
    "012",
    "\"012\"",
    "12.0",
    "1e3",
    "\"12 \"",
    "\" 12\"",
    "\"+12\"",
    "null",
    "true",
    "\"\"",
    "[12]",
    "{}",
    "9223372036854775807",
    "9223372036854775808",
    "\"9223372036854775808\"",
    "18446744073709551615",
    "18446744073709551616",
    "\"18446744073709551616\"",
    "100000000000000000000000",
    "\"anna\"",
    "\"Anna\"",
    "\"3F2504E0-4F89-11D3-9A0C-0305E82C3301\"",
    "\"3f2504e0-4f89-11d3-9a0c-0305e82c3301\"",
    "\"\\u0031\\u0032\"",
    "\"\\ud800\"",
    "\"Grüße\"",
    "\"1\\n2\"",
    "\"12\u{7f}\"",
];

pub fn presidential() -> Vec<Draft> {
    let election = Election::preset("us-president-2024").unwrap();
    let mut values: Vec<Vec<u8>> = Vec::new();
    for (number, shape) in SHAPES.iter().enumerate() {
        values.push(shape.replacen("{}", &(700_000 + number).to_string(), 1).into());
        values.push(shape.replacen("{}", &format!("\"{}\"", 800_000 + number), 1).into());
    }
    values.extend(IDS.iter().map(|id| SHAPES[0].replacen("{}", id, 1).into_bytes()));
    values.push(SHAPES[0].replacen("{}", &format!("\"{}\"", "x".repeat(128)), 1).into());
    values.push(SHAPES[0].replacen("{}", &format!("\"{}\"", "x".repeat(129)), 1).into());
    for long in [65_536, 65_537] {
        let mut value = SHAPES[0].replacen("{}", &long.to_string(), 1).into_bytes();
        value.resize(long, b' ');
        values.push(value);
    }
    let deep = format!(
        r#"{{"id":901,"state":"Ohio","decision":"harris","x":{}{}}}"#,
        "[".repeat(9_000),
        "]".repeat(9_000)
    );
    let wide: Vec<String> = (0..9_000).map(|n| format!(r#""k{n}":{n},"#)).collect();
    let wide = wide.concat();
    let wide = wide[..60_000].rsplit_once(',').map_or("", |(whole, _)| whole);
    let wide = format!(r#"{{{wide},"id":902,"state":"Ohio","decision":"harris"}}"#);
    values.extend([deep.into_bytes(), wide.into_bytes()]);
    values.extend(
        [
            &b"{\"id\":903,\"state\":\"Ohio\",\"decision\":\"harris\",\"x\":\"\xff\"}"[..],
            b"{\"id\":904,\"state\":\"\xc3\x28\",\"decision\":\"harris\"}",
            b"\xff",
            b" ",
            b"{}",
            b"5",
            b"null",
            b"\"x\"",
        ]
        .map(<[u8]>::to_vec),
    );
    let mut drafts: Vec<Draft> =
        values.iter().enumerate().map(|(n, value)| placed(&election, value, n)).collect();
    drafts.push(Draft { value: None, ..placed(&election, b"", 1) });
    drafts.push(placed(&election, b"", 2));
    drafts.push(Draft { stub: true, ..placed(&election, SHAPES[0].replacen("{}", "905", 1).as_bytes(), 3) });
    drafts
}

pub fn votestream() -> Vec<Draft> {
    let election = Election::preset("us-president-2024").unwrap().with_mapping("votestream").unwrap();
    let times = [
        r#""2024-11-05 20:15:00""#,
        r#""2024-11-03 01:30:00""#,
        r#""2024-11-03 00:59:59""#,
        r#""2024-11-03 02:00:00""#,
        r#""2024-03-10 02:30:00""#,
        r#""2024-03-10 01:59:59""#,
        r#""2024-03-10 03:00:00""#,
        r#""2024-07-01 12:00:00""#,
        r#""1969-12-31 20:00:00""#,
        r#""1970-01-01 00:00:00""#,
        r#""2050-07-01 12:00:00""#,
        r#""2024-13-01 12:00:00""#,
        r#""2024-11-05T20:15:00""#,
        r#""2024-11-05 20:15""#,
        r#""2024-11-05 20:15:60""#,
        "null",
        "5",
        r#""2024-11-05  20:15:00""#,
        r#"" 2024-11-05 20:15:00""#,
    ];
    let rests = [
        r#""candidate_id":"harris","address":{"state":"Ohio","city":"Dayton"}"#,
        r#""candidate_id":"8b1c","candidate_name":"Donald Trump","address":{"street":{"number":1,"name":"x"},"city":"y","state":"OH"}"#,
        r#""candidate_id":" HARRIS ","candidate_name":"Donald Trump","address":{"state":"TX"}"#,
        r#""candidate_id":null,"candidate_name":"Jill Stein","gender":"male","registered_age":44,"address":{"state":"TX"}"#,
        r#""candidate_id":"härris","candidate_name":"Jill Stein","address":{"state":"TX"}"#,
        r#""candidate_id":7,"candidate_name":"Jill Stein","address":{"state":"TX","state":"OH"}"#,
        r#""candidate_id":true,"candidate_name":"Jill Stein","address":{"state":"TX"},"address":{"city":"x"}"#,
        r#""candidate_id":[],"candidate_name":"Jill Stein","address":{"state":"TX"},"address":{"state":"OH"}"#,
        r#""candidate_id":"stein","address":{"state":"TX"},"address":5"#,
        r#""candidate_id":"stein","address":"TX""#,
        r#""candidate_id":"stein","address":{}"#,
        r#""candidate_id":"stein","address":{"state":{"code":"TX"}}"#,
        r#""candidate_id":"stein","other":{"address":{"state":"TX"}},"state":"OH","address":{"state":"ME"}"#,
        r#""candidate_id":"nobody","candidate_name":"no one","address":{"state":"TX"}"#,
        r#""candidate_id":"stein","address":{"\u0073tate":"TX"}"#,
        r#""candidate_id":"stein","registered_age":17,"address":{"state":"TX"}"#,
    ];
    let mut drafts = Vec::new();
    for (t, time) in times.iter().enumerate() {
        for (r, rest) in rests.iter().enumerate() {
            let value =
                format!(r#"{{"voter_id":{},"voting_time":{time},{rest}}}"#, 5_000 + (t * 7 + r * 3) % 200);
            drafts.push(placed(&election, value.as_bytes(), t + r));
        }
    }
    drafts
}
