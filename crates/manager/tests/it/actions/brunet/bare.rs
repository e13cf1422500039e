//! Hosts without Mono get the manager's.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use p2ppool::runtimes::MonoSource;
use p2ppool_model::brunet::MonoRuntime;
use p2ppool_model::task::TaskState;
use p2ppool_model::{Action, Outcome};
use p2ppool_remote::testing::{Sshd, SshdOptions};

use super::super::contained::{Network, contained};
use super::super::world::World;
use super::support::{HOSTS, bundle, install, pool, right, ring};

#[test]
fn brunet_hosts_without_mono_get_the_managers_once() {
    contained(concat!(module_path!(), "::brunet_hosts_without_mono_get_the_managers_once"), Network::Apart, bundled);
}

#[test]
#[ignore = "fetches Debian's packages"]
fn long_brunet_hosts_without_mono_get_one_made_of_debians_packages() {
    contained(
        concat!(module_path!(), "::long_brunet_hosts_without_mono_get_one_made_of_debians_packages"),
        Network::Shared,
        async || Box::pin(bundled_of(MonoSource::Packages)).await,
    );
}

async fn bundled() {
    Box::pin(bundled_of(MonoSource::Any)).await;
}

async fn bundled_of(source: MonoSource) {
    if !is_root() {
        println!("needs root to make hosts without Mono (chroot)");
        return;
    }
    let bare = BareSystem::make();
    let options = SshdOptions { hosts: HOSTS, force_command: Some(bare.command()), ..SshdOptions::default() };
    let sshd = Sshd::start(options).unwrap();
    let world = World::real().await;
    let bundle = bundle(&world, "P2PNode.exe").await;
    let pool = pool(&world, &sshd, MonoRuntime::Bundled, "/nodes/{pool}/{host}").await;

    let too_early = install(&world, &pool, &bundle).await;
    assert_eq!(too_early.state, TaskState::Failed);
    assert!(too_early.message.contains("p2ppool runtime build mono"), "{}", too_early.message);

    let begun = Instant::now();
    let made = world.context.runtimes.begin(source).unwrap().await.unwrap();
    println!("mono {} for glibc {}: {} bytes in {:?}", made.version, made.glibc, made.size, begun.elapsed());
    right(&world, &install(&world, &pool, &bundle).await, Outcome::Ok).await;
    ring(&world, &pool).await;
    let runtime =
        bare.root().join("nodes/brunet").join(format!("{}_{}", sshd.address(0), sshd.port())).join("runtimes");
    let kept: Vec<PathBuf> = std::fs::read_dir(&runtime).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(kept, [runtime.join(made.digest.as_str())]);
    let written = std::fs::metadata(&kept[0]).unwrap().modified().unwrap();

    // another package, the same runtime
    let store = &world.context.store;
    let mut settings = store.pool(pool.id).await.unwrap().settings;
    settings.bootstrap = vec!["brunet.udp://127.0.0.1:9".to_owned()];
    store.set_pool_settings(pool.id, &settings).await.unwrap();
    right(&world, &world.done(&pool, Action::Upgrade).await, Outcome::Ok).await;
    assert_eq!(std::fs::metadata(&kept[0]).unwrap().modified().unwrap(), written, "it was not sent again");
    right(&world, &world.done(&pool, Action::Stop).await, Outcome::Ok).await;
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

/// A system that holds glibc, busybox (its shell, tar, ifconfig and the rest) and nothing else.
struct BareSystem(tempfile::TempDir);

impl BareSystem {
    fn make() -> Self {
        let system = Self(tempfile::Builder::new().prefix("p2ppool-bare-").tempdir().unwrap());
        let script = r#"
            set -eu
            mkdir -p bin sbin dev proc tmp nodes etc
            chmod 1777 tmp
            busybox=$(command -v busybox)
            cp "$busybox" bin/busybox
            for applet in $(busybox --list); do ln -sf busybox "bin/$applet"; done
            ln -sf ../bin/busybox sbin/ifconfig
            # glibc as it is on any host, and nothing that Mono brings
            for name in libc.so.6 libm.so.6 libresolv.so.2 libpthread.so.0 libdl.so.2 librt.so.1; do
              file=$(ldconfig -p | sed -n "s|.*$name.*x86-64.* => ||p" | head -n 1)
              mkdir -p ".${file%/*}"
              cp -L "$file" ".$file"
            done
            mkdir -p lib64
            cp -L /lib64/ld-linux-x86-64.so.2 lib64/
            # each device by itself: whoever deletes this folder deletes no device
            for name in null zero urandom; do
              touch "dev/$name"
              mount --bind "/dev/$name" "dev/$name"
            done
            mount -t proc proc proc
        "#;
        let made = Command::new("sh")
            .args(["-c", script])
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .current_dir(system.root())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        system
    }

    fn root(&self) -> &Path {
        self.0.path()
    }

    /// What sshd runs instead of what is asked for: that, inside.
    fn command(&self) -> String {
        format!(
            "PATH=/bin:/sbin HOME=/tmp exec /usr/sbin/chroot {} /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"",
            self.root().display()
        )
    }
}

impl Drop for BareSystem {
    fn drop(&mut self) {
        for mounted in ["dev/null", "dev/zero", "dev/urandom", "proc"] {
            let _ = Command::new("umount").arg("-l").arg(self.root().join(mounted)).status();
        }
    }
}
