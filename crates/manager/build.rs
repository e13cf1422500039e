//! Puts the p2pnode named by `P2PPOOL_NODE` into the manager, so that one copied file is a working
//! manager. Without it the manager looks for p2pnode beside itself.

use std::io::Write;
use std::path::{Path, PathBuf};

fn main() {
    watch_web_page();
    println!("cargo::rerun-if-env-changed=P2PPOOL_NODE");
    let out = std::env::var_os("OUT_DIR").map(PathBuf::from).expect("cargo sets OUT_DIR");
    let packed = match std::env::var_os("P2PPOOL_NODE").filter(|path| !path.is_empty()) {
        Some(path) => pack(Path::new(&path)),
        None => Vec::new(),
    };
    std::fs::write(out.join("p2pnode.gz"), packed).expect("write into OUT_DIR");
}

/// The page is embedded from `web/dist`: another page makes another program.
fn watch_web_page() {
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web");
    // A folder that is not there would count as changed at every build.
    if web.is_dir() && std::fs::create_dir_all(web.join("dist")).is_ok() {
        println!("cargo::rerun-if-changed={}", web.join("dist").display());
    }
}

fn pack(path: &Path) -> Vec<u8> {
    println!("cargo::rerun-if-changed={}", path.display());
    let program = std::fs::read(path).unwrap_or_else(|error| panic!("P2PPOOL_NODE={}: {error}", path.display()));
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(&program).and_then(|()| packer.finish()).expect("compress into memory")
}
