//! The URL of a Spark Connect server: `sc://host[:port][/;token=…;use_ssl=true]`. Connecting is the session's business.

use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// Where Spark Connect listens unless told otherwise.
const PORT: u16 = 15_002;

/// Where a Spark Connect server is, and how to get in.
#[derive(Clone, PartialEq, Eq)]
pub struct Remote {
    host: String,
    port: u16,
    token: Option<String>,
    tls: bool,
}

/// Why a URL is none of a Spark Connect server.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RemoteError {
    /// It does not begin with `sc://`, or has no host.
    #[error(
        "'{0}' is no Spark Connect URL: write sc://host:15002, with /;token=…;use_ssl=true where the server asks for it"
    )]
    Shape(String),
    /// The port is none.
    #[error("'{0}' is no port in a Spark Connect URL: write sc://host:15002")]
    Port(String),
    /// A setting that is not known, or not understood.
    #[error("a Spark Connect URL has no setting '{0}': token=… and use_ssl=true|false are known")]
    Setting(String),
    /// A token would be sent in the clear to another machine.
    #[error(
        "a token is only sent over TLS: add ;use_ssl=true to the Spark Connect URL, or leave the token out"
    )]
    TokenInTheClear,
}

impl Remote {
    /// Host and port, as a socket address is written.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The URL that the client takes, token included. Never to be shown.
    pub(crate) fn secret_url(&self, session_id: &str) -> String {
        let mut url = format!("sc://{}/;session_id={session_id}", self.authority());
        if self.tls {
            url.push_str(";use_ssl=true");
        }
        if let Some(token) = &self.token {
            url.push_str(";token=");
            url.push_str(token);
        }
        url
    }
}

impl FromStr for Remote {
    type Err = RemoteError;

    fn from_str(text: &str) -> Result<Self, RemoteError> {
        // What is shown of a bad URL ends before its settings, which may hold a token.
        let shown = || text.split('/').take(3).collect::<Vec<_>>().join("/");
        let shape = || RemoteError::Shape(shown());
        let rest = text.strip_prefix("sc://").ok_or_else(shape)?;
        let (authority, settings) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                (host, port.parse().map_err(|_| RemoteError::Port(port.to_owned()))?)
            }
            _ => (authority, PORT),
        };
        let plain = |host: &str| host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b));
        if host.is_empty() || !plain(host) {
            return Err(shape());
        }
        let mut remote = Self { host: host.to_owned(), port, token: None, tls: false };
        for setting in settings.split(';').filter(|setting| !setting.is_empty()) {
            let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
            match (name, value) {
                ("token", token) if !token.is_empty() => remote.token = Some(token.to_owned()),
                ("use_ssl", "true") => remote.tls = true,
                ("use_ssl", "false") => remote.tls = false,
                _ => return Err(RemoteError::Setting(name.to_owned())),
            }
        }
        if remote.token.is_some() && !remote.tls {
            return Err(RemoteError::TokenInTheClear);
        }
        Ok(remote)
    }
}

impl fmt::Display for Remote {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sc://{}", self.authority())?;
        match (self.tls, &self.token) {
            (false, _) => Ok(()),
            (true, None) => f.write_str("/;use_ssl=true"),
            (true, Some(_)) => f.write_str("/;use_ssl=true;token=***"),
        }
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remote({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, RemoteError> {
        text.parse::<Remote>().map(|remote| remote.to_string())
    }

    #[test]
    fn urls_are_read_and_the_token_is_not_shown() {
        assert_eq!(shown("sc://spark").as_deref(), Ok("sc://spark:15002"));
        assert_eq!(shown("sc://127.0.0.1:7/").as_deref(), Ok("sc://127.0.0.1:7"));
        assert_eq!(shown("sc://[::1]:7").as_deref(), Ok("sc://[::1]:7"));
        assert_eq!(shown("sc://[::1]").as_deref(), Ok("sc://[::1]:15002"));
        let secret: Remote = "sc://h:1/;token=abc;use_ssl=true".parse().unwrap();
        assert_eq!(secret.to_string(), "sc://h:1/;use_ssl=true;token=***");
        assert!(!format!("{secret:?}").contains("abc"));
        assert_eq!(secret.secret_url("s"), "sc://h:1/;session_id=s;use_ssl=true;token=abc");
    }

    #[test]
    fn other_texts_are_refused_with_what_to_write() {
        for text in ["", "spark:15002", "http://h:1", "sc://", "sc://:1", "sc://a b:1"] {
            assert!(matches!(shown(text), Err(RemoteError::Shape(_))), "{text}");
        }
        assert_eq!(shown("sc://h:x"), Err(RemoteError::Port("x".to_owned())));
        assert_eq!(shown("sc://h:1/;user_id=me"), Err(RemoteError::Setting("user_id".to_owned())));
        assert_eq!(shown("sc://h:1/;use_ssl=yes"), Err(RemoteError::Setting("use_ssl".to_owned())));
        assert_eq!(shown("sc://h:1/;token=abc"), Err(RemoteError::TokenInTheClear));
        assert!(!shown("x://h:1/;token=abc").unwrap_err().to_string().contains("abc"));
    }
}
