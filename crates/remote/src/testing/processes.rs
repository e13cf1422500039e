//! Finding and ending the processes that a fixture started, and no others.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long killed processes may take to go.
const GONE: Duration = Duration::from_secs(10);

/// Between two looks at `/proc`.
const LOOK: Duration = Duration::from_millis(10);

/// Processes whose environment holds `NAME=value`, besides zombies.
pub(super) fn with_environment(name: &str, value: &str) -> Vec<u32> {
    let wanted = format!("{name}={value}");
    let Ok(folder) = std::fs::read_dir("/proc") else { return Vec::new() };
    folder
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| {
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|b| *b == 0).any(|pair| pair == wanted.as_bytes())
        })
        .collect()
}

/// The children of a process, and theirs.
pub(super) fn descendants(of: u32) -> Vec<u32> {
    let mut found = vec![of];
    let mut next = 0;
    while next < found.len() {
        let tasks = format!("/proc/{}/task/{}/children", found[next], found[next]);
        let children = std::fs::read_to_string(tasks).unwrap_or_default();
        found.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        next += 1;
    }
    found.remove(0);
    found
}

pub(super) fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

pub(super) fn kill(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Kills and waits until they are gone.
pub(super) fn end(pids: &[u32]) {
    for pid in pids {
        kill(*pid);
    }
    let until = Instant::now() + GONE;
    while pids.iter().any(|pid| is_alive(*pid)) && Instant::now() < until {
        std::thread::sleep(LOOK);
    }
}

/// CPU time of a process and its ended children, in seconds.
pub(super) fn cpu_seconds(pid: u32) -> f64 {
    // USER_HZ is 100 on every Linux that this is run on
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks: f64 = rest.split(' ').skip(11).take(4).filter_map(|n| n.parse::<f64>().ok()).sum();
    ticks / TICKS_PER_SECOND
}

/// Is this program there?
pub(super) fn is_program(path: &Path) -> bool {
    path.is_file()
}
