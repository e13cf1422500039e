//! From a name to a connected socket.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use p2ppool_model::{Cause, Step};
use tokio::net::{TcpStream, lookup_host};

use crate::{HostError, Target};

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

/// Resolves and connects; the addresses of a name share the time.
pub(super) async fn dial(target: &Target, within: Duration) -> Result<TcpStream, HostError> {
    let addresses = resolve(target).await?;
    let each = within / u32::try_from(addresses.len()).unwrap_or(1).max(1);
    let mut first_error = None;
    for address in addresses {
        let error = match tokio::time::timeout(each, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // without it, Nagle's algorithm costs 40 ms twice before authentication
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => unconnected(target, address, &error),
            Err(_) => no_answer(target, address, each),
        };
        first_error.get_or_insert(error);
    }
    Err(first_error.unwrap_or_else(|| not_found(target, "it has no address")))
}

async fn resolve(target: &Target) -> Result<Vec<SocketAddr>, HostError> {
    if let Ok(address) = target.address.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, target.port)]);
    }
    let found = lookup_host((target.address.as_str(), target.port)).await;
    let addresses: Vec<_> = found.map_err(|e| not_found(target, &e.to_string()))?.take(ADDRESSES_MAX).collect();
    if addresses.is_empty() { Err(not_found(target, "it has no address")) } else { Ok(addresses) }
}

fn not_found(target: &Target, why: &str) -> HostError {
    let message = format!("connect to {}: no address for `{}`: {why}", target.display(), target.address);
    HostError::new(Cause::NameNotFound, Step::Connect, message)
}

fn no_answer(target: &Target, address: SocketAddr, within: Duration) -> HostError {
    let message =
        format!("connect to {}: {address} did not answer within {:.0} s", target.display(), within.as_secs_f32());
    HostError::new(Cause::ConnectTimeout, Step::Connect, message)
}

fn unconnected(target: &Target, address: SocketAddr, error: &std::io::Error) -> HostError {
    use std::io::ErrorKind;
    let cause = match error.kind() {
        ErrorKind::ConnectionRefused => Cause::ConnectionRefused,
        // no route, network down: nothing answered either
        _ => Cause::ConnectTimeout,
    };
    HostError::new(cause, Step::Connect, format!("connect to {}: {address}: {error}", target.display()))
}
