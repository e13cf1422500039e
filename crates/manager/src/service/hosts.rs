//! The host list of a pool.

use p2ppool_model::event::Change;
use p2ppool_model::host::Host;
use p2ppool_model::pool::Pool;
use p2ppool_model::{HostId, host_list};
use p2ppool_store::HostsSet;

use crate::app::App;
use crate::service::{Error, pools};

/// Replaces the host list; wrong lines change nothing.
pub async fn replace(app: &App, pool: &Pool, text: &str) -> Result<(HostsSet, Vec<host_list::LineError>), Error> {
    let list = host_list::parse(text);
    if !list.errors.is_empty() {
        return Err(Error::Hosts(list.errors));
    }
    let set = app.store.set_hosts(pool.id, &list.hosts).await?;
    app.events.publish(Some(pool.name.as_str()), Change::Pool);
    Ok((set, list.duplicates))
}

/// A host of this pool: by its number, or as it stands in the host list.
pub async fn find(app: &App, pool: &Pool, named: &str) -> Result<Host, Error> {
    let missing = || Error::not_found("host", named);
    let host = match named.parse::<HostId>() {
        Ok(id) => app.store.host(id).await?,
        Err(_) => {
            let spec = pools::hosts_of(named).ok().and_then(|mut hosts| hosts.pop()).ok_or_else(missing)?;
            app.store.host_at(pool.id, &spec.address, spec.ssh_port()).await?
        }
    };
    if host.pool == pool.id { Ok(host) } else { Err(missing()) }
}
