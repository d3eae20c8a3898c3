//! PostgreSQL does what every backend must do. Needs a server: `scripts/with-services.sh` names one.

mod support;

conformance!(postgres, crate::support::postgres::database, []);
