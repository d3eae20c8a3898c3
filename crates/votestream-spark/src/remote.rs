//! The URL of a Spark Connect server: `sc://host[:port][/;use_ssl=true;token_file=…]`, and the token that goes with it. Connecting is the
//! session's business.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use thiserror::Error;

/// Where Spark Connect listens unless told otherwise.
const PORT: u16 = 15_002;

/// The variable that holds the token where the URL names none, as Spark's own clients have it.
pub const TOKEN_VARIABLE: &str = "SPARK_CONNECT_AUTHENTICATE_TOKEN";

/// Where a Spark Connect server is, and how to get in.
#[derive(Clone, PartialEq, Eq)]
pub struct Remote {
    host: String,
    port: u16,
    token: Option<Token>,
    tls: bool,
}

/// Where the token is.
#[derive(Clone, PartialEq, Eq)]
enum Token {
    /// In the URL.
    Here(String),
    /// In the first line of a file.
    File(PathBuf),
}

/// Why a URL is none of a Spark Connect server, or has no token.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RemoteError {
    /// It does not begin with `sc://`, or has no host.
    #[error(
        "'{0}' is no Spark Connect URL: write sc://host:15002, with /;use_ssl=true;token_file=… where the server asks for it"
    )]
    Shape(String),
    /// The port is none.
    #[error("'{0}' is no port in a Spark Connect URL: write sc://host:15002")]
    Port(String),
    /// A setting that is not known, or not understood.
    #[error(
        "a Spark Connect URL has no setting '{0}': use_ssl=true|false, token_file=FILE and token=… are known (an authority's certificate is named by the variable SSL_CERT_FILE)"
    )]
    Setting(String),
    /// Both token and file.
    #[error("a Spark Connect URL has token=… or token_file=…, not both")]
    TwoTokens,
    /// A token would be sent in the clear to another machine.
    #[error(
        "a token is only sent over TLS: add ;use_ssl=true to the Spark Connect URL, or leave the token out, also of the variable {TOKEN_VARIABLE}"
    )]
    TokenInTheClear,
    /// The token's file.
    #[error(
        "the Spark server's token cannot be read from '{file}' ({says}): name a text file whose first line is the token"
    )]
    TokenFile {
        /// Which.
        file: String,
        /// Why.
        says: String,
    },
    /// A token of other characters.
    #[error("the Spark server's token cannot be sent: it must be of visible ASCII characters")]
    TokenShape,
}

impl Remote {
    /// Host and port, as a socket address is written.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The host alone; an IPv6 address in brackets.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Connections are encrypted.
    pub(crate) fn tls(&self) -> bool {
        self.tls
    }

    /// The URL that the client takes, token included. Never to be shown.
    pub(crate) fn secret_url(&self, session_id: &str) -> Result<String, RemoteError> {
        let mut url = format!("sc://{}/;session_id={session_id}", self.authority());
        if self.tls {
            url.push_str(";use_ssl=true");
        }
        if let Some(token) = self.token()? {
            url.push_str(";token=");
            url.push_str(&escaped(&token));
        }
        Ok(url)
    }

    /// The token, read anew at each connection: a file may have another by then.
    fn token(&self) -> Result<Option<String>, RemoteError> {
        let token = match &self.token {
            Some(Token::Here(token)) => Some(token.clone()),
            Some(Token::File(path)) => Some(first_line(path)?),
            None => std::env::var(TOKEN_VARIABLE).ok().filter(|token| !token.is_empty()),
        };
        let Some(token) = token else { return Ok(None) };
        if !self.may_carry_a_token() {
            return Err(RemoteError::TokenInTheClear);
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(RemoteError::TokenShape);
        }
        Ok(Some(token))
    }

    /// It is encrypted, or stays on this machine.
    fn may_carry_a_token(&self) -> bool {
        self.tls || ["localhost", "127.0.0.1", "[::1]"].contains(&self.host.as_str())
    }
}

fn first_line(path: &Path) -> Result<String, RemoteError> {
    let bad = |says: String| RemoteError::TokenFile { file: path.display().to_string(), says };
    let text = std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() { Err(bad("its first line is empty".to_owned())) } else { Ok(line.to_owned()) }
}

/// A setting's value as the client's URL has it: whatever might end it is escaped.
fn escaped(value: &str) -> String {
    const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(value, ESCAPED).to_string()
}

/// The other way round; what is no escape stays as it is.
fn unescaped(value: &str) -> String {
    percent_decode_str(value).decode_utf8_lossy().into_owned()
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
                ("token" | "token_file", value) if !value.is_empty() => {
                    let file = name == "token_file";
                    let token = if file { Token::File(value.into()) } else { Token::Here(unescaped(value)) };
                    if remote.token.replace(token).is_some() {
                        return Err(RemoteError::TwoTokens);
                    }
                }
                ("use_ssl", "true") => remote.tls = true,
                ("use_ssl", "false") => remote.tls = false,
                _ => return Err(RemoteError::Setting(name.to_owned())),
            }
        }
        if remote.token.is_some() && !remote.may_carry_a_token() {
            return Err(RemoteError::TokenInTheClear);
        }
        Ok(remote)
    }
}

impl fmt::Display for Remote {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sc://{}", self.authority())?;
        if self.tls || self.token.is_some() {
            f.write_str("/")?;
        }
        if self.tls {
            f.write_str(";use_ssl=true")?;
        }
        match &self.token {
            None => Ok(()),
            Some(Token::Here(_)) => f.write_str(";token=***"),
            Some(Token::File(path)) => write!(f, ";token_file={}", path.display()),
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
        assert_eq!(secret.secret_url("s").unwrap(), "sc://h:1/;session_id=s;use_ssl=true;token=abc");
        assert_eq!(
            shown("sc://h/;use_ssl=true;token_file=/run/t").unwrap(),
            "sc://h:15002/;use_ssl=true;token_file=/run/t"
        );
    }

    #[test]
    fn a_token_of_any_visible_characters_comes_through() {
        let token = "a/b+c==;d%41~'\"";
        for text in [escaped(token), escaped(token).to_lowercase()] {
            let remote: Remote = format!("sc://localhost/;token={text}").parse().unwrap();
            assert_eq!(remote.token().unwrap().as_deref(), Some(token));
        }
        let plain: Remote = "sc://127.0.0.1/;token=Zm9v/YmE+==".parse().unwrap();
        let url = plain.secret_url("s").unwrap();
        assert_eq!(url, "sc://127.0.0.1:15002/;session_id=s;token=Zm9v%2FYmE%2B%3D%3D");
        let odd: Remote = "sc://[::1]/;token=a%0Ab".parse().unwrap();
        assert_eq!(odd.token(), Err(RemoteError::TokenShape));
    }

    #[test]
    fn a_file_of_a_token_is_read_at_each_connection() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        let remote: Remote = format!("sc://h/;use_ssl=true;token_file={}", file.display()).parse().unwrap();
        let missing = remote.token().unwrap_err();
        assert!(missing.to_string().contains(file.to_str().unwrap()), "{missing}");
        for (text, expect) in [("one\n", Some("one")), ("two \r\nthree", Some("two")), ("\n", None)] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(remote.token().ok().flatten().as_deref(), expect);
        }
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
        assert_eq!(shown("sc://h:1/;token_file=abc"), Err(RemoteError::TokenInTheClear));
        assert_eq!(shown("sc://h:1/;use_ssl=true;token=a;token_file=b"), Err(RemoteError::TwoTokens));
        assert!(!shown("x://h:1/;token=abc").unwrap_err().to_string().contains("abc"));
    }
}
