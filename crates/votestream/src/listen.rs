//! Finding a port: a default one gives way to the next free one and says so; one that was asked for is used or refused.

use anyhow::{Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Ports tried after a default one that is taken.
const TRIED_MAX: u16 = 100;

/// Lets this process have as many connections open as the system allows it to: where the usual limit of open files is 1,024, a server
/// of a thousand viewers would meet it. Where it cannot be raised, all goes on, and a connection too many is refused with a warning.
pub fn allow_many_connections() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum
        && let Err(error) =
            setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
    {
        tracing::debug!("the limit of open files stays as it is: {error}");
    }
}

/// Listens where asked, or at `port` on loopback or the next free one. `flag` is what a person would type to choose.
pub fn bind(asked: Option<SocketAddr>, port: u16, flag: &str) -> Result<TcpListener> {
    if let Some(address) = asked {
        return match TcpListener::bind(address) {
            Ok(listener) => Ok(listener),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                bail!(
                    "port {} is in use; is votestream already running? choose another with {flag}",
                    address.port()
                )
            }
            Err(error) => bail!("cannot listen on {address}: {error}; choose another address with {flag}"),
        };
    }
    for next in port..port.saturating_add(TRIED_MAX) {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, next)) {
            Ok(listener) => {
                if next != port {
                    tracing::warn!("port {port} is in use; using {next} instead");
                }
                return Ok(listener);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
            Err(error) => {
                bail!("cannot listen on 127.0.0.1:{next}: {error}; choose another address with {flag}")
            }
        }
    }
    bail!("ports {port} to {} are all in use; choose one with {flag}", port + TRIED_MAX - 1)
}
