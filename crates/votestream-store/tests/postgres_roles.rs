//! The roles of docs/operating.md, made by its own lines: what each may and may not; and the views, which show what the API shows.

mod support;

use support::postgres::{Database, Sql, server};
use support::{Entry, NOW, election, start, vote};
use votestream_election::delta::DeskAction;
use votestream_election::{CandidateIx, Millis, Minute, PartitionId};
use votestream_store::{DeskStore, ReaderStore, StoreError, StoreUrl, WriterStore};

const OPERATING: &str = include_str!("../../../docs/operating.md");

/// The SQL block of that name in the documentation.
fn documented(name: &str) -> &'static str {
    let (_, rest) = OPERATING.split_once(&format!("```sql\n-- roles: {name}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

/// Roles are the whole server's: these have the test's own names, and go with it.
struct Roles<'d> {
    database: &'d Database,
}

impl Roles<'_> {
    fn name(&self, role: &str) -> String {
        format!("{}_{role}", self.database.name)
    }

    /// Runs a documented block with the roles' names replaced.
    fn run(&self, block: &str) {
        let mut text = documented(block).to_owned();
        for role in ["writer", "reader", "public"] {
            text = text.replace(&format!("votestream_{role}"), &self.name(role));
        }
        self.database.sql().ask(&text);
        let role = self.name(block);
        self.database.sql().ask(&format!("ALTER ROLE {role} PASSWORD 'of the test'"));
    }

    fn url(&self, role: &str) -> String {
        let server = server();
        let place = server.split_once("://").unwrap().1.rsplit_once('/').unwrap().0;
        let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
        format!("postgres://{}:of%20the%20test@{host}/{}", self.name(role), self.database.name)
    }

    fn store(&self, role: &str) -> StoreUrl {
        format!("{}?sslmode=disable&lock_timeout_ms=1000", self.url(role)).parse().unwrap()
    }

    fn sql(&self, role: &str) -> Sql {
        Sql::open_as(&self.url(role), None)
    }
}

impl Drop for Roles<'_> {
    fn drop(&mut self) {
        let sql = self.database.sql();
        for role in ["writer", "reader", "public"] {
            let role = self.name(role);
            if sql.run(&format!("DROP OWNED BY {role} CASCADE")).is_ok() {
                let _ = sql.run(&format!("DROP ROLE {role}"));
            }
        }
    }
}

fn denied(sql: &Sql, text: &str) {
    let error = sql.run(text).expect_err(text);
    assert_eq!(error.code().map(tokio_postgres::error::SqlState::code), Some("42501"), "{text}: {error:?}");
}

#[test]
fn each_role_may_what_it_must_and_no_more() {
    let database = Database::new();
    let roles = Roles { database: &database };
    roles.run("writer");
    let election = election();
    let (mut store, mut workers) = start(&roles.store("writer"), &election, 2);
    let delta = workers[0].seal(&[vote(1, 0, 0), Entry::Reject(votestream_election::RejectReason::UnderAge)]);
    store.flush(&election.id, &[delta], NOW).unwrap();
    // A worker of the same role may end another's stuck connection.
    let stuck = roles.sql("writer");
    stuck.ask("SET application_name = 'votestream-count-stuck'");
    stuck.ask("BEGIN; UPDATE votestream.progress SET log_end = log_end");
    support::take_over(&mut store, &election, 2);

    roles.run("reader");
    let url = roles.store("reader");
    let reader = ReaderStore::open(&url).unwrap();
    let id = &election.id;
    assert_eq!(reader.snapshot(id).unwrap(), store.snapshot(id).unwrap());
    assert!(reader.changed().unwrap());
    reader.elections().unwrap();
    reader.election(None).unwrap();
    reader.pin(id).unwrap();
    reader.snapshot_at(id, Minute(0)).unwrap();
    reader.sequence(id).unwrap();
    reader.timeline(id, None, None).unwrap();
    reader.demographics(id, None).unwrap();
    assert_eq!(reader.rejects(id, 10, None).unwrap().len(), 1);
    reader.leaves(id, PartitionId(0)).unwrap();
    reader.desk_acts(id).unwrap();
    for needs_more in [
        reader.verify(id),
        DeskStore::open(&url).and_then(|mut d| d.desk(id, DeskAction::Close, None, NOW)).map(drop),
        WriterStore::open(&url).and_then(|mut w| w.start_over(&election, &support::pin(2), NOW)),
    ] {
        let error = needs_more.unwrap_err();
        assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
        assert!(error.to_string().contains("GRANT votestream_writer TO"), "{error}");
    }
    let sql = roles.sql("reader");
    for table in ["tally", "seen", "voter_file", "attempt"] {
        denied(&sql, &format!("SELECT * FROM votestream.{table}"));
    }
    denied(&sql, "UPDATE votestream.progress SET counted = 0");
    denied(&sql, "DELETE FROM votestream.desk_act");
    denied(&sql, "CREATE TABLE votestream.more (x integer)");
    assert_eq!(sql.ask("SELECT count(*) FROM votestream.results"), ["4"]);

    roles.run("public");
    let sql = roles.sql("public");
    assert_eq!(sql.ask("SELECT votes FROM votestream.results WHERE candidate = 'trump'"), ["1"]);
    assert_eq!(sql.ask("SELECT count(*) FROM votestream.results_by_region"), ["204"]);
    assert_eq!(sql.ask("SELECT count(*) FROM votestream.results_timeline"), ["4"]);
    for table in ["tally", "seen", "progress", "timeline", "rejected", "election", "release_block"] {
        denied(&sql, &format!("SELECT * FROM votestream.{table}"));
    }
    drop((store, reader));
}

/// Whatever the desk does, the views hold what a snapshot holds of the regions that are public, and nothing of the others.
#[test]
fn the_views_show_what_the_api_shows() {
    let database = Database::new();
    let mut election = election();
    election.regions[7].publish = votestream_election::election::Publish::AtClose;
    let (mut store, mut workers) = start(&database.url("?sslmode=disable"), &election, 2);
    let id = election.id.clone();
    for minute in 1..4_i64 {
        for (worker, counting) in workers.iter_mut().enumerate() {
            let entries: Vec<_> = (0..60_u64)
                .map(|i| Entry::Vote {
                    voter: 1_000 * minute as u64 + i,
                    region: (i % 12) as u16,
                    candidate: (i % 3) as u16,
                    minute: minute + 2 * worker as i64,
                })
                .collect();
            let delta = counting.seal(&entries);
            store.flush(&id, &[delta], Millis(NOW.0 + minute)).unwrap();
        }
    }
    let sql = database.sql();
    let code = |row: usize| election.regions[row].code.as_str();
    let check = |store: &WriterStore, hidden: &[usize]| {
        let snapshot = store.snapshot(&id).unwrap();
        let votes = |totals: &[u64], candidate: usize| {
            (0..51).filter(|r| !hidden.contains(r)).map(|r| totals[r * 4 + candidate]).sum::<u64>()
        };
        let all: u64 = (0..4).map(|c| votes(&snapshot.totals, c)).sum();
        for (candidate, named) in election.candidates.iter().enumerate() {
            let row = format!(
                "SELECT votes, sequence, withheld_regions, round(share * {all}) FROM votestream.results WHERE candidate = '{}'",
                named.id
            );
            let expect = votes(&snapshot.totals, candidate);
            assert_eq!(sql.ask(&row), [format!("{expect},{},{},{expect}", snapshot.sequence, hidden.len())]);
        }
        let shown = sql.ask("SELECT DISTINCT region FROM votestream.results_by_region ORDER BY 1");
        assert_eq!(shown.len(), 51 - hidden.len());
        assert!(hidden.iter().all(|h| !shown.contains(&code(*h).to_owned())));
        let sums = sql.ask("SELECT sum(votes) FROM votestream.results_by_region");
        assert_eq!(sums, [all.to_string()]);
        let region = sql.ask(&format!(
            "SELECT votes FROM votestream.results_by_region WHERE region = '{}' AND candidate = 'harris'",
            code(1)
        ));
        assert_eq!(region, [snapshot.totals[4 + usize::from(CandidateIx(1).0)].to_string()]);
        let reader = store.reader().unwrap();
        for point in reader.timeline(&id, None, None).unwrap() {
            let row = format!(
                "SELECT candidate, votes FROM votestream.results_timeline WHERE minute = to_timestamp({} * 60)",
                point.minute.0
            );
            let expect: Vec<String> = election
                .candidates
                .iter()
                .enumerate()
                .map(|(c, named)| format!("{},{}", named.id, votes(&point.totals, c)))
                .collect();
            assert_eq!(sql.ask(&row), expect);
        }
    };
    check(&store, &[7]);
    store.desk(&id, DeskAction::Hold, Some(code(3)), NOW).unwrap();
    check(&store, &[3, 7]);
    store.desk(&id, DeskAction::Close, Some(code(7)), NOW).unwrap();
    check(&store, &[3]);
    // Counted again from scratch, what is held stays held.
    store.start_over(&election, &support::pin(2), NOW).unwrap();
    let shown = sql.ask("SELECT count(DISTINCT region) FROM votestream.results_by_region");
    assert_eq!(shown, ["50"]);
    store.desk(&id, DeskAction::Reopen, Some(code(3)), NOW).unwrap();
    check(&store, &[]);
    store.desk(&id, DeskAction::Hold, None, NOW).unwrap();
    assert_eq!(sql.ask("SELECT count(*) FROM votestream.results_by_region"), ["0"]);
    assert_eq!(sql.ask("SELECT sum(votes), max(withheld_regions) FROM votestream.results"), ["0,51"]);
    store.delete_election(&id).unwrap();
    assert_eq!(sql.ask("SELECT count(*) FROM votestream.results"), ["0"]);
}
