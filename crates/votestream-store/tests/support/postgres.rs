//! A database of its own for each test, dropped afterwards, and SQL as another program would run it.

use super::Site;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};
use votestream_store::StoreUrl;

/// Where the test server is: `postgres://user@host:port/db`, the password in `PGPASSWORD`.
pub fn server() -> String {
    std::env::var("VOTESTREAM_TEST_POSTGRES")
        .expect("VOTESTREAM_TEST_POSTGRES names no server: run this by scripts/with-services.sh")
}

/// The server's URL with another database, user and options.
pub fn url(database: &str, options: &str) -> String {
    let server = server();
    let (place, _) = server.rsplit_once('/').unwrap();
    format!("{place}/{database}{options}")
}

/// An open connection beside the store's.
pub struct Sql {
    runtime: tokio::runtime::Runtime,
    client: Client,
}

impl Sql {
    pub fn open(database: &str) -> Self {
        Self::open_as(&url(database, ""), std::env::var("PGPASSWORD").ok().as_deref())
    }

    pub fn open_as(url: &str, password: Option<&str>) -> Self {
        Self::try_open_as(url, password).unwrap()
    }

    pub fn try_open_as(url: &str, password: Option<&str>) -> Result<Self, tokio_postgres::Error> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mut config: Config = url.parse().unwrap();
        if let Some(password) = password {
            config.password(password);
        }
        config.connect_timeout(Duration::from_secs(10));
        let (client, connection) = runtime.block_on(config.connect(NoTls))?;
        runtime.spawn(connection);
        Ok(Self { runtime, client })
    }

    pub fn run(&self, text: &str) -> Result<Vec<Vec<Option<String>>>, tokio_postgres::Error> {
        let messages = self.runtime.block_on(self.client.simple_query(text))?;
        let rows = messages.iter().filter_map(|m| match m {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|c| row.get(c).map(str::to_owned)).collect())
            }
            _ => None,
        });
        Ok(rows.collect())
    }

    /// Runs what must succeed; the rows, their columns joined by commas.
    pub fn ask(&self, text: &str) -> Vec<String> {
        let rows = self.run(text).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        rows.into_iter()
            .map(|row| row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>().join(","))
            .collect()
    }
}

/// A database, dropped with this.
pub struct Database {
    pub name: String,
}

impl Database {
    pub fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("vs_test_{}_{made}_{}", std::process::id(), nanos % 1_000_000_000);
        Sql::open_as(&server(), std::env::var("PGPASSWORD").ok().as_deref())
            .ask(&format!("CREATE DATABASE {name} TEMPLATE template0"));
        Self { name }
    }

    pub fn url(&self, options: &str) -> StoreUrl {
        url(&self.name, options).parse().unwrap()
    }

    pub fn sql(&self) -> Sql {
        Sql::open(&self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Ok(sql) = Sql::try_open_as(&server(), std::env::var("PGPASSWORD").ok().as_deref()) {
            // What is left over shows by its name; a test's verdict is not this.
            let _ = sql.run(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        }
    }
}

/// A place for one store.
pub fn database() -> Site {
    let database = Database::new();
    Site { url: database.url("?sslmode=disable"), keep: Box::new(database) }
}
