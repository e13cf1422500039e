//! The history of a pool in words and tables: each function tells one answer of the API.

use p2ppool_model::snapshot::Snapshot;
use serde_json::Value;

use super::output::{duration, percent, printable, table};

/// A value for people: `-` when it is not known.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// What nodes said is shown, not obeyed.
fn lines(lines: &[String]) -> String {
    lines.iter().map(|line| printable(line)).collect::<Vec<_>>().join("\n")
}

/// What changed between two snapshots.
pub(super) fn diff(diff: &Value) -> String {
    let mut told = vec![format!(
        "crawl {} ({}) to crawl {} ({}): {} nodes stayed",
        diff["from"]["id"],
        text(&diff["from"]["started"]),
        diff["to"]["id"],
        text(&diff["to"]["started"]),
        diff["stayed"],
    )];
    for list in ["joined", "left", "moved", "upgraded", "restarted"] {
        told.push(format!("{list}: {}", diff[list]["total"]));
        for one in items(&diff[list]["items"]) {
            let address = text(&one["address"]);
            let host = one["host_name"].as_str().map(|host| format!("  {host}")).unwrap_or_default();
            let change =
                one["field"].as_str().map(|field| format!("  {field}: {} -> {}", text(&one["from"]), text(&one["to"])));
            told.push(format!("  {address}{host}{}", change.unwrap_or_default()));
        }
    }
    told.push(format!(
        "neighbours: {} nodes name others (+{} -{})",
        diff["neighbours"]["total"], diff["neighbours_gained"], diff["neighbours_lost"]
    ));
    lines(&told)
}

/// Who came and went.
pub(super) fn churn(churn: &Value) -> String {
    let window = &churn["window"];
    if window.is_null() {
        return "no crawl in this time".to_owned();
    }
    const CLASSES: [&str; 6] = ["online", "entered", "left", "one_off", "dangling", "offline"];
    let classes = CLASSES.map(|class| format!("{} {}", text(&churn["classes"][class]), class.replace('_', "-")));
    lines(&[
        format!("{} to {}", text(&window["from"]), text(&window["to"])),
        format!("nodes: {}", classes.join(", ")),
        format!(
            "sessions: {}, of which {} began in this time; of these {} go on and {} are shorter than the crawl gap",
            churn["sessions"], churn["began"], churn["censored"], churn["shorter_than_gap"]
        ),
        format!("median session: {}", between(&churn["median_least_s"], &churn["median_most_s"])),
        format!("mean uptime: {}", share(&churn["uptime"])),
    ])
}

/// Seconds that are known within bounds.
fn between(least: &Value, most: &Value) -> String {
    let length = |seconds: &Value| match seconds.as_f64() {
        Some(seconds) if seconds.is_finite() && seconds >= 0.0 => duration(seconds as u64),
        _ => "not known".to_owned(),
    };
    format!("{} to {}", length(least), length(most))
}

fn share(share: &Value) -> String {
    match (share["least"].as_f64(), share["most"].as_f64()) {
        (Some(least), Some(most)) if least == most => percent(Some(least)),
        (Some(least), Some(most)) => format!("{} to {}", percent(Some(least)), percent(Some(most))),
        _ => "-".to_owned(),
    }
}

/// Sessions of many nodes.
pub(super) fn sessions(page: &Value) -> String {
    if page["window"].is_null() {
        return "no crawl in this time".to_owned();
    }
    format!("{}\n{} of {} sessions", session_table(&page["items"]), items(&page["items"]).count(), page["total"])
}

fn session_table(sessions: &Value) -> String {
    let rows = items(sessions).map(|one| {
        let told = |name: &str, missing: &str| one[name].as_str().unwrap_or(missing).to_owned();
        vec![
            told("address", "-"),
            told("before", "not known"),
            told("began", "-"),
            told("ended", "-"),
            told("after", "goes on"),
        ]
    });
    table(&["node", "not before", "began", "seen until", "gone by"], &[], rows)
}

/// When one node was there.
pub(super) fn presence(node: &Value) -> String {
    let is_there = if node["is_there"].as_bool() == Some(true) { "it is there" } else { "it is not there" };
    let head = lines(&[
        text(&node["address"]),
        format!("first seen {}, last seen {}; {is_there}", text(&node["first_seen"]), text(&node["last_seen"])),
        format!(
            "{} from {} to {}: uptime {}",
            text(&node["class"]).replace('_', "-"),
            text(&node["window"]["from"]),
            text(&node["window"]["to"]),
            share(&node["uptime"])
        ),
    ]);
    format!("{head}\n{}", session_table(&node["sessions"]))
}

/// Measures of the graph.
pub(super) fn topology(topology: &Value) -> String {
    if topology["crawl"].is_null() {
        return "the pool was never crawled".to_owned();
    }
    let (measures, paths) = (&topology["measures"], &topology["measures"]["paths"]);
    let sizes: Vec<String> = items(&measures["component_sizes"]).take(10).map(text).collect();
    let mean = paths["mean"].as_f64().map_or_else(|| "-".to_owned(), |mean| format!("{mean:.2}"));
    lines(&[
        format!("crawl {} of {}", topology["crawl"]["id"], text(&topology["crawl"]["started"])),
        format!("components: {} ({})", measures["components"], sizes.join(", ")),
        format!("links: {}, {} of them one-sided", measures["links"], measures["one_sided"]),
        format!("out-degree: {}", spread(&measures["out_degrees"])),
        format!("in-degree: {}", spread(&measures["in_degrees"])),
        format!(
            "path length: {mean} on average, {} at most, {} pairs without a path (from {} nodes)",
            paths["longest"], paths["unreachable"], paths["starts"]
        ),
        format!("names of nodes that are not in the snapshot: {}", topology["strangers"]),
    ])
}

/// Least, median and greatest of a distribution: how many have which degree.
fn spread(counts: &Value) -> String {
    let counts = counts.as_object().into_iter().flatten();
    let mut counts: Vec<(u64, u64)> =
        counts.filter_map(|(degree, count)| Some((degree.parse().ok()?, count.as_u64()?))).collect();
    counts.sort_unstable();
    let all: u64 = counts.iter().map(|(_, count)| count).sum();
    let mut seen = 0;
    let median = counts.iter().find(|(_, count)| {
        seen += count;
        seen * 2 >= all
    });
    match (counts.first(), median, counts.last()) {
        (Some((least, _)), Some((median, _)), Some((most, _))) => format!("{least} to {most}, median {median}"),
        _ => "-".to_owned(),
    }
}

/// Hosts and nodes, joined.
pub(super) fn deployed(list: &Value) -> String {
    let rows = items(&list["items"]).map(|one| {
        let wrong: Vec<String> = items(&one["wrong"]).map(|what| format!("wrong {}", text(what))).collect();
        let remark = one["problem"].as_str().map(str::to_owned).into_iter().chain(wrong);
        let mut row = ["host_name", "state", "node", "version"].map(|name| text(&one[name])).to_vec();
        row.push(remark.collect::<Vec<_>>().join("; "));
        row
    });
    let shown = table(&["host", "state", "node", "version", "remark"], &[], rows);
    let counts = list["counts"].as_object().into_iter().flatten();
    let counts: Vec<String> =
        counts.filter(|(_, count)| **count != 0).map(|(state, count)| format!("{count} {state}")).collect();
    format!("{shown}\n{}", counts.join(", "))
}

/// Statistics of a time in buckets.
pub(super) fn buckets(stats: &Value) -> String {
    const SHOWN: [&str; 6] = ["nodes", "answering", "consistency", "connections", "missing", "duration_ms"];
    let rows = items(&stats["time"]).zip(items(&stats["crawls"])).enumerate().map(|(at, (time, crawls))| {
        let mut row = vec![text(time), text(crawls)];
        row.extend(SHOWN.map(|name| {
            let of = |part: &str| stats["series"][name][part][at].as_f64();
            match (of("min"), of("mean"), of("max")) {
                (Some(min), Some(mean), Some(max)) if min != max => {
                    format!("{} ({} - {})", number(mean), number(min), number(max))
                }
                (_, Some(mean), _) => number(mean),
                _ => "-".to_owned(),
            }
        }));
        row
    });
    let head = ["time", "crawls", "nodes", "answering", "consistency", "connections", "missing", "duration ms"];
    table(&head, &head[1..], rows)
}

/// At most three decimals.
fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Statistics crawl by crawl.
pub(super) fn snapshots(snapshots: &[Snapshot]) -> String {
    use super::output::known;
    let rows = snapshots.iter().map(|snapshot| {
        let totals = &snapshot.totals;
        vec![
            snapshot.id.to_string(),
            snapshot.started.to_string(),
            totals.nodes.to_string(),
            totals.answering.to_string(),
            percent(totals.consistency),
            known(totals.connections),
            totals.retries.to_string(),
            format!("{} ms", snapshot.duration_ms),
            totals.missing.to_string(),
            format!("+{} -{}", totals.joined, totals.left),
        ]
    });
    let head = [
        "crawl",
        "time",
        "nodes",
        "answering",
        "consistency",
        "connections",
        "retries",
        "duration",
        "missing",
        "joined/left",
    ];
    table(&head, &[&head[..1], &head[2..9]].concat(), rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_known_is_not_told_as_zero() {
        let told = churn(&json!({
            "window": { "from": "a", "to": "b" }, "classes": { "one_off": 2 }, "sessions": 2, "began": 2, "censored": 1,
            "shorter_than_gap": 1, "median_least_s": 61.0, "median_most_s": null, "uptime": { "least": 0.25, "most": 0.5 },
        }));
        assert!(told.contains("1m 1s to not known") && told.contains("25.0 % to 50.0 %"), "{told}");
        assert!(told.contains("2 one-off"), "{told}");
        let told = buckets(&json!({
            "time": ["t"], "crawls": [3],
            "series": { "nodes": { "min": [1.0], "mean": [1.5], "max": [2.0] }, "missing": { "min": [null], "mean": [null], "max": [null] } }
        }));
        assert!(told.contains("1.5 (1 - 2)") && told.contains('-'), "{told}");
    }

    #[test]
    fn degrees_are_told_by_their_middle() {
        assert_eq!(spread(&json!({ "2": 3, "10": 1, "3": 2 })), "2 to 10, median 2");
        assert_eq!(spread(&json!({})), "-");
    }

    #[test]
    fn terminal_codes_of_nodes_are_not_obeyed() {
        let told = diff(&json!({ "joined": { "total": 1, "items": [{ "address": "\u{1b}[2J" }] } }));
        assert!(!told.contains('\u{1b}') && told.contains("joined: 1"), "{told}");
    }
}
