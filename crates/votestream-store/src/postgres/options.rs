//! From a URL and the environment to what connecting needs: login, password, keepalives, this connection's name. Passwords come from the
//! URL, `password_file=`, `PGPASSWORD`, or a pass file by libpq's rules, in this order, and leave here only for the server.

use super::fault::{Done, Fault};
use crate::error::StoreError;
use crate::postgres_url::{PostgresUrl, TlsMode};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};

/// What a connection is for: part of the name by which `pg_stat_activity` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Count,
    Desk,
    Read,
}

/// Connections whose name begins so are ours, and may be terminated by a taker whose way they stand in.
pub(super) const APPLICATION: &str = "votestream-";
/// PostgreSQL cuts names at 63 bytes.
const APPLICATION_BYTES: usize = 63;
/// A dead peer is noticed after at most 10 + 3 × 5 s, also while nothing is being sent.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;
/// How long sent bytes may stay unacknowledged.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(20);
/// Most bytes of a file that holds a password.
const PASSWORD_FILE_BYTES: u64 = 64 << 10;

static CONNECTIONS: AtomicU32 = AtomicU32::new(0);

/// Whom to connect to, as whom, for error messages too.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) label: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) database: String,
}

impl Place {
    pub(super) fn of(url: &PostgresUrl) -> Self {
        let user = url.user.clone().or_else(|| variable("PGUSER")).or_else(|| variable("USER"));
        let user = user.unwrap_or_else(|| "postgres".to_owned());
        let database = url.database.clone().or_else(|| variable("PGDATABASE"));
        let (host, port) = hosts(url).swap_remove(0);
        Self { label: url.to_string(), host, port, database: database.unwrap_or_else(|| user.clone()), user }
    }
}

/// Never empty.
fn hosts(url: &PostgresUrl) -> Vec<(String, u16)> {
    if !url.hosts.is_empty() {
        return url.hosts.clone();
    }
    let port = variable("PGPORT").and_then(|p| p.parse().ok()).unwrap_or(5_432);
    vec![(variable("PGHOST").unwrap_or_else(|| "localhost".to_owned()), port)]
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|v| !v.is_empty())
}

/// Everything but TLS. Reads the password anew each time, so that a changed file is seen when connecting again.
pub(super) fn config(url: &PostgresUrl, place: &Place, role: Role) -> Done<Config> {
    let mut config = Config::new();
    for (host, port) in hosts(url) {
        if host.starts_with('/') {
            config.host_path(&host);
        } else {
            config.host(&host);
        }
        config.port(port);
    }
    config
        .user(&place.user)
        .dbname(&place.database)
        .application_name(application(role))
        .connect_timeout(url.connect_timeout)
        .keepalives_idle(KEEPALIVE_IDLE)
        .keepalives_interval(KEEPALIVE_INTERVAL)
        .keepalives_retries(KEEPALIVE_RETRIES)
        .tcp_user_timeout(TCP_USER_TIMEOUT)
        .ssl_mode(match url.tls {
            TlsMode::Disable => SslMode::Disable,
            TlsMode::Prefer => SslMode::Prefer,
            TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull => SslMode::Require,
        });
    if hosts(url).len() > 1 && role != Role::Read {
        // Of several, the one that takes writes, whichever it is now.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    if let Some(password) = password(url, place)? {
        config.password(password);
    }
    Ok(config)
}

/// `votestream-<role>-<process>-<connection>@<host>`.
fn application(role: Role) -> String {
    let role = match role {
        Role::Count => "count",
        Role::Desk => "desk",
        Role::Read => "read",
    };
    let connection = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || "-._".contains(*c)).collect();
    let mut name = format!("{APPLICATION}{role}-{}-{connection}@{host}", std::process::id());
    name.truncate(APPLICATION_BYTES);
    name
}

fn password(url: &PostgresUrl, place: &Place) -> Done<Option<String>> {
    if let Some(password) = &url.password {
        return Ok(Some(password.0.clone()));
    }
    if let Some(path) = &url.password_file {
        let text = read_small(path).map_err(|source| {
            let path = path.display();
            let why = format!("its password file {path} cannot be read: give one that this user may read");
            Fault::Store(StoreError::Refused { store: place.label.clone(), why, source: Some(source.into()) })
        })?;
        return Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()));
    }
    if let Some(password) = variable("PGPASSWORD") {
        return Ok(Some(password));
    }
    let path = url.pass_file.clone().or_else(|| variable("PGPASSFILE").map(PathBuf::from));
    let path = path.or_else(|| variable("HOME").map(|home| Path::new(&home).join(".pgpass")));
    Ok(path.and_then(|path| from_pass_file(&path, place)))
}

fn read_small(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    fs::File::open(path)?.take(PASSWORD_FILE_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// libpq's rules: the first line of `host:port:database:user:password` that fits; `*` fits all; a file that others may read is passed over.
fn from_pass_file(path: &Path, place: &Place) -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path).ok()?.permissions().mode();
        if mode & 0o077 != 0 {
            tracing::warn!(path = %path.display(), "pass file is not used: others may read it (chmod 600)");
            return None;
        }
    }
    let host = if place.host.starts_with('/') { "localhost" } else { &place.host };
    let wanted = [host, &place.port.to_string(), &place.database, &place.user];
    let text = read_small(path).ok()?;
    text.lines().filter(|line| !line.starts_with('#')).map(fields).find_map(|fields| {
        let (password, keys) = fields.split_last()?;
        let fits = keys.len() == wanted.len() && keys.iter().zip(wanted).all(|(k, w)| k == "*" || k == w);
        fits.then(|| password.clone())
    })
}

/// Fields between colons; a backslash takes the next character as it is. The fifth is the password, whatever it holds.
fn fields(line: &str) -> Vec<String> {
    const FIELDS: usize = 5;
    let mut fields = vec![String::new()];
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            ':' if fields.len() < FIELDS => {
                fields.push(String::new());
                continue;
            }
            '\\' => chars.next().unwrap_or('\\'),
            c => c,
        };
        if let Some(field) = fields.last_mut() {
            field.push(c);
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn pass_files_are_read_by_libpqs_rules() {
        let place = Place {
            label: "x".into(),
            host: "db".into(),
            port: 5_433,
            user: "vs".into(),
            database: "votes".into(),
        };
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(
            b"# db:5433:votes:vs:comment\ndb:5432:votes:vs:other\n*:*:votes:vs:p\\:a\\\\s:s\n*:*:*:*:late\n",
        )
        .unwrap();
        assert_eq!(from_pass_file(file.path(), &place).as_deref(), Some("p:a\\s:s"));
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(from_pass_file(file.path(), &place), None);
    }

    #[test]
    fn a_password_file_loses_its_line_end_and_nothing_else() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b" secret \r\n").unwrap();
        let text = format!("postgres://vs@db/votes?password_file={}", file.path().display());
        let url = PostgresUrl::parse(&text).unwrap();
        let place = Place::of(&url);
        assert_eq!(password(&url, &place).unwrap().as_deref(), Some(" secret "));
        let url = PostgresUrl::parse("postgres://vs@db/votes?password_file=/nowhere/at/all").unwrap();
        let error = password(&url, &place).unwrap_err().named(&place, true).to_string();
        assert!(error.contains("password file"), "{error}");
    }
}
