//! Elections built by hand, so that these tests lean on no preset.

use votestream_election::election::{
    Band, Candidate, DuplicatePolicy, Election, FieldPath, Mapping, Publish, Region, TimeFormat, WinRule,
};

const STATES: [(&str, &str); 51] = [
    ("AL", "Alabama"),
    ("AK", "Alaska"),
    ("AZ", "Arizona"),
    ("AR", "Arkansas"),
    ("CA", "California"),
    ("CO", "Colorado"),
    ("CT", "Connecticut"),
    ("DE", "Delaware"),
    ("DC", "District of Columbia"),
    ("FL", "Florida"),
    ("GA", "Georgia"),
    ("HI", "Hawaii"),
    ("ID", "Idaho"),
    ("IL", "Illinois"),
    ("IN", "Indiana"),
    ("IA", "Iowa"),
    ("KS", "Kansas"),
    ("KY", "Kentucky"),
    ("LA", "Louisiana"),
    ("ME", "Maine"),
    ("MD", "Maryland"),
    ("MA", "Massachusetts"),
    ("MI", "Michigan"),
    ("MN", "Minnesota"),
    ("MS", "Mississippi"),
    ("MO", "Missouri"),
    ("MT", "Montana"),
    ("NE", "Nebraska"),
    ("NV", "Nevada"),
    ("NH", "New Hampshire"),
    ("NJ", "New Jersey"),
    ("NM", "New Mexico"),
    ("NY", "New York"),
    ("NC", "North Carolina"),
    ("ND", "North Dakota"),
    ("OH", "Ohio"),
    ("OK", "Oklahoma"),
    ("OR", "Oregon"),
    ("PA", "Pennsylvania"),
    ("RI", "Rhode Island"),
    ("SC", "South Carolina"),
    ("SD", "South Dakota"),
    ("TN", "Tennessee"),
    ("TX", "Texas"),
    ("UT", "Utah"),
    ("VT", "Vermont"),
    ("VA", "Virginia"),
    ("WA", "Washington"),
    ("WV", "West Virginia"),
    ("WI", "Wisconsin"),
    ("WY", "Wyoming"),
];

#[allow(dead_code, reason = "each test file uses its own part of this module")]
pub const OHIO: u16 = 35;

pub fn path(dotted: &str) -> FieldPath {
    FieldPath(dotted.split('.').map(str::to_owned).collect())
}

/// The shape of the preset of the United States: the `presidential` mapping, 51 regions, eligible at 18.
pub fn presidential() -> Election {
    let candidate = |id: &str, name: &str| Candidate {
        id: id.to_owned(),
        name: name.to_owned(),
        party: String::new(),
        colour: "blue".to_owned(),
        photo: None,
    };
    let region = |(code, name): (&str, &str)| Region {
        code: code.to_owned(),
        name: name.to_owned(),
        seats: 1,
        expected: None,
        registered: None,
        publish: Publish::Live,
        closes: None,
    };
    let band = |label: &str, from: u16, to: Option<u16>| Band { label: label.to_owned(), from, to };
    Election {
        id: "us-president-2024".to_owned(),
        name: "United States president 2024".to_owned(),
        date: Some("2024-11-05".to_owned()),
        time_zone: "America/New_York".to_owned(),
        simulated: true,
        note: None,
        candidates: vec![
            candidate("trump", "Donald Trump"),
            candidate("harris", "Kamala Harris"),
            candidate("stein", "Jill Stein"),
            candidate("other", "Other"),
        ],
        regions: STATES.into_iter().map(region).collect(),
        rule: WinRule::Seats { threshold: 26 },
        bands: vec![
            band("0-17", 0, Some(17)),
            band("18-24", 18, Some(24)),
            band("25-34", 25, Some(34)),
            band("35-64", 35, Some(64)),
            band("65+", 65, None),
        ],
        genders: ["Female", "Male", "Other", "Unknown"].map(str::to_owned).to_vec(),
        eligible_age: Some(18),
        voting_hours: None,
        duplicate: DuplicatePolicy::First,
        min_cell: 10,
        expected: None,
        expected_exact: false,
        mapping: Mapping {
            name: "presidential".to_owned(),
            voter: path("id"),
            region: Some(path("state")),
            candidate: vec![path("decision")],
            gender: Some(path("gender")),
            age: Some(path("age")),
            time: Some((path("time"), TimeFormat::Rfc3339)),
        },
        salt: None,
    }
}

/// The same election under the `votestream` mapping.
#[allow(dead_code, reason = "each test file uses its own part of this module")]
pub fn nested() -> Election {
    let mapping = Mapping {
        name: "votestream".to_owned(),
        voter: path("voter_id"),
        region: Some(path("address.state")),
        candidate: vec![path("candidate_id"), path("candidate_name")],
        gender: Some(path("gender")),
        age: Some(path("registered_age")),
        time: Some((path("voting_time"), TimeFormat::Local("%Y-%m-%d %H:%M:%S".to_owned()))),
    };
    Election { mapping, ..presidential() }
}

/// A poll: `id` and `decision`, all else ignored.
#[allow(dead_code, reason = "each test file uses its own part of this module")]
pub fn poll() -> Election {
    let mapping = Mapping {
        name: "poll".to_owned(),
        voter: path("id"),
        region: None,
        candidate: vec![path("decision")],
        gender: None,
        age: None,
        time: None,
    };
    Election {
        id: "poll".to_owned(),
        regions: Vec::new(),
        bands: Vec::new(),
        genders: vec!["Unknown".to_owned()],
        eligible_age: None,
        rule: WinRule::Plurality,
        mapping,
        ..presidential()
    }
}
