//! What the process and its host use, from `/proc`; unknown where there is no `/proc`.

use std::fs;

/// Clock ticks per second in `/proc/<pid>/stat`: USER_HZ, 100 on every Linux architecture we build for.
const TICKS_PER_SECOND: f64 = 100.0;

/// Resident memory of this process in bytes.
pub fn rss() -> Option<u64> {
    rss_in(&fs::read_to_string("/proc/self/status").ok()?)
}

/// CPU time that this process used, user and system, in seconds.
pub fn cpu_s() -> Option<f64> {
    cpu_s_in(&fs::read_to_string("/proc/self/stat").ok()?)
}

/// One-minute load average of the host.
pub fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

fn rss_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

fn cpu_s_in(stat: &str) -> Option<f64> {
    // the program's name, in parentheses, may hold spaces; utime and stime are fields 14 and 15
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_read_past_an_odd_program_name() {
        let stat = "7 (a b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 1";
        assert_eq!(cpu_s_in(stat), Some(2.0));
        assert_eq!(rss_in("Name:\tx\nVmRSS:\t   2048 kB\n"), Some(2 * 1024 * 1024));
    }

    #[test]
    fn this_process_uses_something() {
        assert!(rss().unwrap() > 100_000);
        assert!(cpu_s().unwrap() >= 0.0);
        assert!(load().unwrap() >= 0.0);
    }
}
