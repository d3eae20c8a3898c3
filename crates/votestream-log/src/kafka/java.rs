//! A topic's options as Kafka's Java clients name them, for programs that read it by those. Certificates are handed over by their text,
//! because such a program may run on another machine.

use super::config::credentials;
use crate::LogError;
use crate::kafka_url::{KafkaUrl, SaslMechanism};
use std::path::Path;

/// The options, `bootstrap.servers` first. Some hold secrets: they are never to be shown.
///
/// # Errors
/// A file or variable that is missing or cannot be read.
pub fn java_options(url: &KafkaUrl) -> Result<Vec<(String, String)>, LogError> {
    let mut options = vec![("bootstrap.servers".to_owned(), url.broker_list())];
    let mut set = |name: &str, value: String| options.push((name.to_owned(), value));
    let credentials = credentials(url)?;
    let protocol = match (url.options.tls, credentials.is_some()) {
        (false, false) => None,
        (true, false) => Some("SSL"),
        (false, true) => Some("SASL_PLAINTEXT"),
        (true, true) => Some("SASL_SSL"),
    };
    if let Some(protocol) = protocol {
        set("security.protocol", protocol.to_owned());
    }
    if let Some(ca) = &url.options.ca {
        set("ssl.truststore.type", "PEM".to_owned());
        set("ssl.truststore.certificates", pem(ca)?);
    }
    if let (Some(cert), Some(key)) = (&url.options.cert, &url.options.key) {
        set("ssl.keystore.type", "PEM".to_owned());
        set("ssl.keystore.certificate.chain", pem(cert)?);
        set("ssl.keystore.key", pem(key)?);
    }
    if let Some(who) = credentials {
        let module = match who.mechanism {
            SaslMechanism::Plain => "plain.PlainLoginModule",
            SaslMechanism::ScramSha256 | SaslMechanism::ScramSha512 => "scram.ScramLoginModule",
        };
        set("sasl.mechanism", who.mechanism.kafka_name().to_owned());
        let (user, password) = (quoted(&who.user), quoted(who.password.reveal()));
        let module = format!("org.apache.kafka.common.security.{module}");
        set("sasl.jaas.config", format!("{module} required username={user} password={password};"));
    }
    Ok(options)
}

/// A value as JAAS quotes it.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

fn pem(path: &Path) -> Result<String, LogError> {
    std::fs::read_to_string(path).map_err(|error| LogError::Credentials {
        what: format!("the PEM file \"{}\" cannot be read: {error}", path.display()),
        next: "name a file that is there and may be read",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(url: &str) -> Vec<(String, String)> {
        java_options(&url.parse().unwrap()).unwrap()
    }

    #[test]
    fn what_the_url_says_is_said_in_kafkas_words() {
        let plain = options("kafka://a:1,b/votes");
        assert_eq!(plain, [("bootstrap.servers".to_owned(), "a:1,b:9092".to_owned())]);
        let dir = tempfile::tempdir().unwrap();
        let (ca, secret) = (dir.path().join("ca.pem"), dir.path().join("secret"));
        std::fs::write(&ca, "the certificate").unwrap();
        std::fs::write(&secret, "a\"b\\c\n").unwrap();
        let url = format!(
            "kafka://a:1/votes?ca={}&sasl=scram-sha-512&user=anna&password_file={}",
            ca.display(),
            secret.display()
        );
        let found = options(&url);
        let get = |name: &str| found.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        assert_eq!(get("security.protocol"), Some("SASL_SSL"));
        assert_eq!(get("ssl.truststore.certificates"), Some("the certificate"));
        assert_eq!(get("sasl.mechanism"), Some("SCRAM-SHA-512"));
        assert!(get("sasl.jaas.config").unwrap().ends_with(r#"username="anna" password="a\"b\\c";"#));
    }
}
