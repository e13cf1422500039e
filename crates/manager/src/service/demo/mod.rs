//! A pool to look around with: processes on the manager's machine, installed by the very same code path as real hosts.

pub(crate) mod places;

use p2ppool_model::host_list;
use serde_json::{Value, json};

use super::pools::PoolSummary;
use super::{Error, blocking, pools};
use crate::accounts::Viewer;
use crate::app::App;

/// Name of the demo's pool.
pub const POOL: &str = "demo";
/// Hosts when nobody says how many.
pub const HOSTS_USUAL: u8 = 12;
/// Most hosts: each is a process of this machine.
pub const HOSTS_MAX: u8 = 100;

/// Registers the demo's pool of so many hosts. Nothing is installed yet.
pub async fn create(app: &App, viewer: &Viewer, hosts: u8) -> Result<PoolSummary, Error> {
    if !(1..=HOSTS_MAX).contains(&hosts) {
        return Err(Error::field("hosts", format!("must be 1 to {HOSTS_MAX}")));
    }
    let alive = app.engine.managers().await?.into_iter().filter(|manager| manager.is_alive).count();
    if alive > 1 {
        let message = format!("{alive} managers share the database, and the demo's hosts are processes of one machine");
        return Err(Error::Conflict { code: "several_managers", message });
    }
    let places = blocking(move || places::choose(hosts)).await??;
    let folder = std::path::absolute(app.folders.demo_hosts()).map_err(Error::internal)?;
    let given = json!({
        "name": POOL,
        "description": format!("{hosts} nodes on this machine, placed around the world to show what the manager does."),
        "transport": "local",
        "ports": places.ports,
        "install_path": format!("{}/{{host}}", folder.display()),
        "private_addresses": true,
        "visibility": "public",
        "default": true,
        "test": true,
        "hosts": host_list::render(&places.hosts),
    });
    let Value::Object(given) = given else { unreachable!("it is written as an object") };
    pools::create(app, viewer, given).await
}
