//! `postgres://user@host:port/db?option=value`: taken apart and checked, without a password in anything that is shown. Needs no
//! PostgreSQL client, so that the small build understands it too. Connecting is the backend's business.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Where a PostgreSQL store is. `Display` and `Debug` never hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    shown: String,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Password>,
    pub(crate) hosts: Vec<(String, u16)>,
    pub(crate) database: Option<String>,
    pub(crate) tls: TlsMode,
    pub(crate) root_certificates: Option<PathBuf>,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) pass_file: Option<PathBuf>,
    pub(crate) connect_timeout: Duration,
    pub(crate) statement_timeout: Duration,
    pub(crate) lock_timeout: Duration,
}

/// A password: never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Password(pub(crate) String);

/// What of TLS is asked for, as in libpq's `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsMode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

const PORT: u16 = 5_432;
/// How long connecting may take, and one statement, and waiting for another's lock, unless the URL says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(15);
const LOCK_TIMEOUT: Duration = Duration::from_secs(3);
/// What the URL may say.
const TIMEOUT_MS_MAX: u64 = 600_000;
const WRONG_PORT: &str = "has a port that is none";

/// Whether this is a PostgreSQL URL at all, well formed or not.
pub(crate) fn is_postgres(text: &str) -> bool {
    text.starts_with("postgres://") || text.starts_with("postgresql://")
}

impl PostgresUrl {
    /// Takes a URL apart; an error says what is wrong with it, in words that fit after the URL.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let (_, rest) = text.split_once("://").ok_or("is of no known kind")?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = place.split_once('/').unwrap_or((place, ""));
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (login, None),
        };
        let mut url = Self {
            shown: shown(text),
            user: some(decode(user)?),
            password: password.map(decode).transpose()?.and_then(some).map(Password),
            hosts: hosts.split(',').filter(|h| !h.is_empty()).map(host).collect::<Result<_, _>>()?,
            database: some(decode(database)?),
            tls: TlsMode::Prefer,
            root_certificates: None,
            password_file: None,
            pass_file: None,
            connect_timeout: CONNECT_TIMEOUT,
            statement_timeout: STATEMENT_TIMEOUT,
            lock_timeout: LOCK_TIMEOUT,
        };
        let mut all_ports = None;
        for option in query.split('&').filter(|o| !o.is_empty()) {
            let (key, value) = option.split_once('=').ok_or("has an option without a value")?;
            let value = decode(value)?;
            if key == "port" {
                let port = value.parse().ok().filter(|p| *p > 0).ok_or(WRONG_PORT)?;
                all_ports = Some(port);
            } else {
                url.option(key, value)?;
            }
        }
        if let Some(port) = all_ports {
            url.hosts.iter_mut().for_each(|host| host.1 = port);
        }
        Ok(url)
    }

    fn option(&mut self, key: &str, value: String) -> Result<(), &'static str> {
        match key {
            "user" => self.user = some(value),
            "password" => self.password = some(value).map(Password),
            "host" => self.hosts = value.split(',').map(host).collect::<Result<_, _>>()?,
            "dbname" => self.database = some(value),
            "sslmode" => {
                self.tls = match value.as_str() {
                    "disable" => TlsMode::Disable,
                    "prefer" | "allow" => TlsMode::Prefer,
                    "require" => TlsMode::Require,
                    "verify-ca" => TlsMode::VerifyCa,
                    "verify-full" => TlsMode::VerifyFull,
                    _ => {
                        return Err(
                            "has an sslmode that is none of disable, prefer, require, verify-ca, verify-full",
                        );
                    }
                }
            }
            "sslrootcert" => self.root_certificates = Some(value.into()),
            "password_file" => self.password_file = Some(value.into()),
            "passfile" => self.pass_file = Some(value.into()),
            "connect_timeout" => self.connect_timeout = timeout(&value, 1_000)?,
            "statement_timeout_ms" => self.statement_timeout = timeout(&value, 1)?,
            "lock_timeout_ms" => self.lock_timeout = timeout(&value, 1)?,
            _ => {
                return Err("has an unknown option (known: sslmode, sslrootcert, password_file, passfile, \
                            connect_timeout, statement_timeout_ms, lock_timeout_ms, user, host, port, dbname)");
            }
        }
        Ok(())
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|t| !t.is_empty())
}

fn timeout(text: &str, unit_ms: u64) -> Result<Duration, &'static str> {
    let number: u64 = text.parse().map_err(|_| "has a timeout that is no whole number")?;
    match number.checked_mul(unit_ms) {
        Some(ms @ 1..=TIMEOUT_MS_MAX) => Ok(Duration::from_millis(ms)),
        _ => Err("has a timeout that is not between 1 ms and 10 minutes"),
    }
}

/// `name`, `name:port`, `[::1]:port`, or a percent-encoded directory of a Unix socket.
fn host(text: &str) -> Result<(String, u16), &'static str> {
    let (name, port) = if let Some(rest) = text.strip_prefix('[') {
        let (name, port) = rest.split_once(']').ok_or("has a host with [ and no ]")?;
        (name, port.strip_prefix(':'))
    } else {
        match text.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (text, None),
        }
    };
    let port = port.map_or(Ok(PORT), |p| p.parse().map_err(|_| WRONG_PORT))?;
    match decode(name)? {
        name if name.is_empty() || port == 0 => Err(if port == 0 { WRONG_PORT } else { "names no host" }),
        name => Ok((name, port)),
    }
}

/// Undoes percent-encoding.
fn decode(text: &str) -> Result<String, &'static str> {
    const WRONG: &str = "has a % that is followed by no two hexadecimal digits";
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16)).ok_or(WRONG);
        bytes.push(if byte == b'%' { (digit()? * 16 + digit()?) as u8 } else { byte });
    }
    String::from_utf8(bytes).map_err(|_| "is no UTF-8 once its % are undone")
}

/// The URL as it may be logged: without a password, wherever one was written.
pub(crate) fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (place, query) = rest.split_once('?').map_or((rest, None), |(p, q)| (p, Some(q)));
    // A password may hold a slash by mistake: what stands before the last @ is login.
    let place = match place.rsplit_once('@') {
        Some((login, place)) => format!("{}@{place}", login.split(':').next().unwrap_or_default()),
        None => place.to_owned(),
    };
    let query: Vec<&str> =
        query.into_iter().flat_map(|q| q.split('&')).filter(|o| !o.starts_with("password=")).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    format!("{scheme}://{place}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let url = PostgresUrl::parse(
            "postgres://vs:p%40ss@db1,[::1]:5433/votes?sslmode=verify-full&connect_timeout=3",
        );
        let url = url.unwrap();
        assert_eq!((url.user.as_deref(), url.database.as_deref()), (Some("vs"), Some("votes")));
        assert_eq!(url.password.as_ref().map(|p| p.0.as_str()), Some("p@ss"));
        assert_eq!(url.hosts, [("db1".to_owned(), 5_432), ("::1".to_owned(), 5_433)]);
        assert_eq!((url.tls, url.connect_timeout), (TlsMode::VerifyFull, Duration::from_secs(3)));
        let url = PostgresUrl::parse("postgres:///votes?port=5439&host=%2Frun%2Fpostgresql").unwrap();
        assert_eq!(url.hosts, [("/run/postgresql".to_owned(), 5_439)]);
    }

    #[test]
    fn wrong_urls_are_refused_by_what_is_wrong() {
        let check = |text: &str, expect: &str| {
            let error = PostgresUrl::parse(text).unwrap_err();
            assert!(error.contains(expect), "{error}");
        };
        check("postgres://db:70000/x", "port");
        check("postgres://db/x?sslmode=maybe", "sslmode");
        check("postgres://db/x?ssl=true", "unknown option");
        check("postgres://db/x?statement_timeout_ms=0", "timeout");
        check("postgres://a%4/x", "hexadecimal");
    }

    #[test]
    fn a_password_is_never_shown() {
        for text in [
            "postgres://vs:hidden@db:5432/votes?sslmode=disable",
            "postgres://vs:hid/den@db:5432/votes?sslmode=disable",
            "postgres://vs:hid@den@db:5432/votes?sslmode=disable",
            "postgres://vs@db:5432/votes?password=hidden&sslmode=disable",
        ] {
            assert_eq!(shown(text), "postgres://vs@db:5432/votes?sslmode=disable");
            if let Ok(url) = PostgresUrl::parse(text) {
                assert!(!format!("{url} {url:?}").contains("hid"));
            }
        }
    }
}
