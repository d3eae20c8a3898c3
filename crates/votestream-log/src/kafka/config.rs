//! How brokers are connected to, ready to use: what the URL says, with files and environment read. Connecting is left to
//! [`super::connection`].

use crate::error::LogError;
use crate::kafka_url::{KafkaUrl, SaslMechanism};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for a name, a connection, a handshake, each answer while connecting.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for an answer, and for a request to be taken.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How we name ourselves to brokers.
pub(crate) const CLIENT_ID: &str = "votestream";
/// The variable with the user's name.
pub(crate) const USER_VARIABLE: &str = "VOTESTREAM_KAFKA_USER";
/// The variable with the password.
pub(crate) const PASSWORD_VARIABLE: &str = "VOTESTREAM_KAFKA_PASSWORD";
/// The longest password that a file may hold.
const PASSWORD_BYTES_MAX: u64 = 4096;

/// How brokers are connected to.
#[derive(Debug)]
pub(crate) struct Config {
    /// How connections are encrypted, if they are.
    pub(crate) tls: Option<Arc<rustls::ClientConfig>>,
    /// Who we are, where the brokers want to know.
    pub(crate) credentials: Option<Credentials>,
    /// Longest wait while connecting.
    pub(crate) connect_timeout: Duration,
    /// Longest wait for an answer.
    pub(crate) request_timeout: Duration,
}

/// Who we are and how we prove it.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    /// How.
    pub(crate) mechanism: SaslMechanism,
    /// The user's name.
    pub(crate) user: String,
    /// The password.
    pub(crate) password: Secret,
}

/// A text that is never printed.
#[derive(Clone)]
pub(crate) struct Secret(String);

#[cfg(test)]
impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Secret {
    /// The text, for the wire only.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl Config {
    /// Reads the files and variables that `url` names.
    ///
    /// # Errors
    /// [`LogError::Credentials`]: a file or variable that is missing or no good.
    pub(crate) fn read(url: &KafkaUrl) -> Result<Arc<Self>, LogError> {
        Ok(Arc::new(Self {
            tls: super::tls::config(&url.options)?,
            credentials: credentials(url)?,
            connect_timeout: CONNECT_TIMEOUT,
            request_timeout: REQUEST_TIMEOUT,
        }))
    }
}

/// Who `url` says we are: with `sasl=`, the user from the URL or `VOTESTREAM_KAFKA_USER`, the password from its file or `VOTESTREAM_KAFKA_PASSWORD`.
///
/// # Errors
/// [`LogError::Credentials`] when one of them is missing.
pub(crate) fn credentials(url: &KafkaUrl) -> Result<Option<Credentials>, LogError> {
    let Some(mechanism) = url.options.sasl else { return Ok(None) };
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let missing = |what: &str, next| LogError::Credentials { what: what.to_owned(), next };
    let user = url.options.user.clone().or_else(|| variable(USER_VARIABLE));
    let user = user.ok_or_else(|| {
        missing("the Kafka log says sasl= but no user", "add user=NAME or set VOTESTREAM_KAFKA_USER")
    })?;
    let password = match &url.options.password_file {
        Some(path) => read_password(path)?,
        None => variable(PASSWORD_VARIABLE).ok_or_else(|| {
            missing(
                "the Kafka log says sasl= but there is no password",
                "set VOTESTREAM_KAFKA_PASSWORD or add password_file=FILE",
            )
        })?,
    };
    Ok(Some(Credentials { mechanism, user, password: Secret(password) }))
}

/// The first line of a file.
fn read_password(path: &std::path::Path) -> Result<String, LogError> {
    use std::io::Read;
    let bad = |why: String| LogError::Credentials {
        what: format!("the password file \"{}\" {why}", path.display()),
        next: "name a text file whose first line is the password",
    };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| bad(format!("cannot be read: {error}")))?;
    let read = file.take(PASSWORD_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|error| bad(format!("cannot be read: {error}")))?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() { Err(bad("is empty".to_owned())) } else { Ok(line.to_owned()) }
}
