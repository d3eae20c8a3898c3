//! Credentials and settings from the files that the AWS tools share: `~/.aws/credentials` and `~/.aws/config`, or where
//! `AWS_SHARED_CREDENTIALS_FILE` and `AWS_CONFIG_FILE` say. The environment goes before them.

use std::collections::HashMap;
use std::path::PathBuf;

/// A profile's settings, by their names in the files.
pub fn load(name: Option<&str>) -> Result<HashMap<String, String>, String> {
    let read = |variable: &str, file: &str| {
        let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".aws").join(file));
        let path = std::env::var_os(variable).map(PathBuf::from).or_else(home);
        path.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default()
    };
    let (credentials, config) =
        (read("AWS_SHARED_CREDENTIALS_FILE", "credentials"), read("AWS_CONFIG_FILE", "config"));
    let wanted = name.unwrap_or("default");
    let mut found = section(&config, &[&format!("profile {wanted}"), wanted]);
    let secrets = section(&credentials, &[wanted]);
    if name.is_some() && found.is_none() && secrets.is_none() {
        return Err(format!(
            "AWS_PROFILE names the profile '{wanted}', which neither ~/.aws/credentials nor ~/.aws/config has"
        ));
    }
    let mut settings = found.take().unwrap_or_default();
    settings.extend(secrets.unwrap_or_default());
    Ok(settings)
}

/// The settings of the first section with one of these names.
fn section(text: &str, names: &[&str]) -> Option<HashMap<String, String>> {
    let mut found: Option<HashMap<String, String>> = None;
    let mut inside = false;
    for line in text.lines() {
        let trimmed = line.trim();
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = names.contains(&name.trim());
            if inside {
                found.get_or_insert_default();
            }
        } else if inside
            && !line.starts_with([' ', '\t', '#', ';'])
            && let Some((key, value)) = trimmed.split_once('=')
        {
            found.get_or_insert_default().insert(key.trim().to_owned(), value.trim().to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_its_own_section() {
        let text = "[default]\naws_access_key_id = A\n# region = x\n[profile press]\nregion=eu-west-1\ns3 =\n  addressing_style = path\n[other]\naws_access_key_id = B\n";
        assert_eq!(
            section(text, &["default"]).unwrap(),
            HashMap::from([("aws_access_key_id".into(), "A".into())])
        );
        let press = section(text, &["profile press", "press"]).unwrap();
        assert_eq!((press["region"].as_str(), press.get("addressing_style")), ("eu-west-1", None));
        assert_eq!(section(text, &["nobody"]), None);
    }
}
