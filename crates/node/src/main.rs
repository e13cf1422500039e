//! p2pnode: the deployed libp2p overlay node, and the commands that speak to one.

// nobody uses a program as a library: here `pub` says "for the other files"
#![allow(unreachable_pub)]

mod address;
mod ask;
mod cli;
mod failure;
mod log;
mod node;
mod node_file;
mod rpc;
mod vitals;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    // one thread is enough for one swarm, and a second malloc arena would cost memory
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure::Failure::other(format!("start the event loop: {error}")).report(),
    };
    match runtime.block_on(cli.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
