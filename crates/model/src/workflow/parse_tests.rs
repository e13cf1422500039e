use proptest::prelude::*;

use super::super::run::{Progress, RunState, StepState};
use super::super::{StepOutcome, TEXT_MAX};
use super::*;
use crate::Time;

const CHURN: &str = "
description: Take a quarter of the nodes away
steps:
  - name: install
    run: install
    on: { partial: settle }
  - name: settle
    wait: [nodes >= 95%, consistency >= 0.99]
    within: 10m
  - name: ask
    approve: Take a quarter of the nodes away?
    on: { failure: end }
  - name: hurt
    fault: { kind: stop, share: 25%, seed: 7 }
  - name: nap
    sleep: 30s
  - name: heal
    fault: { kind: resume }
    on: { always: logs }
  - name: logs
    run: gather_logs
    with: { max_bytes: 1000000 }
    on: { failure: tell, success: end }
  - name: tell
    notify: The logs could not be brought back
";

fn errors(text: &str) -> Vec<String> {
    parse(text).unwrap_err().iter().map(ToString::to_string).collect()
}

fn step(rest: &str) -> String {
    format!("steps:\n  - name: a\n    {rest}\n")
}

#[test]
fn a_workflow_is_read_from_yaml_and_from_json() {
    let workflow = parse(CHURN).unwrap();
    assert_eq!(workflow.steps.len(), 8);
    assert_eq!(workflow.steps[0].then.partial, Target::Step("settle".into()));
    assert_eq!(workflow.steps[0].then.failure, Target::Fail);
    assert_eq!(workflow.steps[5].then.failure, Target::Step("logs".into()));
    assert_eq!(workflow.steps[6].then.partial, Target::Step("tell".into()), "partial goes as failure does");
    assert_eq!(workflow.steps[6].at, Place { line: 20, column: 11 });
    assert!(matches!(&workflow.steps[1].kind, StepKind::Wait { conditions, within_s: 600 } if conditions.len() == 2));
    let json = r#"{ "steps": [ { "name": "a", "run": "crawl" }, { "name": "b", "sleep": 5 } ] }"#;
    assert_eq!(parse(json).unwrap().steps[1].kind, StepKind::Sleep { seconds: 5 });
    let again: Workflow = serde_json::from_value(serde_json::to_value(&workflow).unwrap()).unwrap();
    assert_eq!(again, workflow);
}

#[test]
fn a_step_may_tell_only_some() {
    let told = |rest: &str| match parse(&step(rest)).unwrap().steps.remove(0).kind {
        StepKind::Notify { message, to } => (message, to),
        other => panic!("{other:?}"),
    };
    assert_eq!(told("notify: x"), ("x".into(), vec![]));
    assert_eq!(told("notify: x\n    to: ops"), ("x".into(), vec!["ops".into()]));
    assert_eq!(told("notify: x\n    to: [ops, '3']").1, ["ops", "3"]);
}

#[test]
fn every_error_names_its_line() {
    assert_eq!(
        errors(
            "steps:\n  - name: A b\n    run: explode\n  - name: x\n    sleep: 1s\n    on: { success: nowhere, later: x }\n"
        ),
        [
            "line 2, column 11: `A b` is no name: 1 to 63 of a-z, 0-9 and `-`",
            "line 3, column 10: `explode` is not an action; there are install, upgrade, suspend, resume, stop, check, \
             crawl, uninstall_check, gather_logs, gather_data, gather_usage, rotate_key",
            "line 6, column 20: there is no step `nowhere`; the ends are `end` and `fail`",
            "line 6, column 36: `later` is none of success, partial, failure, always",
        ]
    );
    for (text, line, part) in [
        ("steps: []", 1, "1 to 100 steps"),
        ("steps:\n- nam: x", 2, "nam"),
        ("{", 1, ""),
        (&step("run: crawl\n    sleep: 1s"), 2, "does one thing"),
        (&step("on: {}"), 2, "needs one of"),
        (&step("sleep: 8d"), 3, "7 days"),
        (&step("sleep: soon"), 3, "length of time"),
        (&step("wait: nodes => 5"), 3, "compare by"),
        (&step("wait: []"), 3, "1 to 8 conditions"),
        (&step("wait: speed > 5"), 3, "none of nodes"),
        (&step("approve: ''"), 3, "1 to 1000"),
        (&step("fault: { kind: stop }"), 3, "how many nodes"),
        (&step("fault: { kind: explode, share: 5 }"), 3, "explode"),
        (&step("notify: x\n    within: 5m"), 4, "belongs to"),
        (&step("notify: x\n    with: {}"), 4, "belongs to"),
        (&step("notify: x\n    to: []"), 4, "1 to "),
        (&step("sleep: 5s\n    to: ops"), 4, "belongs to `notify`"),
        ("steps:\n- {name: end, sleep: 1s}", 2, "an end"),
        ("steps:\n- {name: a, sleep: 1s}\n- {name: a, sleep: 1s}", 3, "already"),
        (
            "steps:\n- {name: a, sleep: 1s}\n- {name: b, sleep: 1s, on: {failure: a}}",
            3,
            "a cycle: `b` leads back to `a`",
        ),
        ("steps:\n- {name: a, sleep: 1s, on: {always: a}}", 2, "a cycle"),
        (
            "steps:\n- {name: a, sleep: 1s, on: {always: end}}\n- {name: b, sleep: 1s}",
            3,
            "nothing leads to the step `b`",
        ),
    ] {
        let found = parse(text).expect_err(text);
        assert_eq!(found[0].at.line, line, "{text}: {found:?}");
        assert!(found[0].to_string().contains(part), "{text}: {found:?}");
    }
}

#[test]
fn what_is_too_large_or_grows_is_refused() {
    assert!(errors(&"x".repeat(TEXT_MAX + 1))[0].contains("at most"));
    let many: String = (0..101).map(|n| format!("- {{name: s{n}, sleep: 1s}}\n")).collect();
    assert!(errors(&format!("steps:\n{many}"))[0].contains("1 to 100"));
    let bomb = "a: &a [x, x]\nb: &b [*a, *a]\nsteps: [*b, *b]\n";
    assert!(parse(bomb).is_err());
    assert!(parse(&"[".repeat(10_000)).is_err());
}

/// Workflows without cycles: every branch leads forward.
fn workflows() -> impl Strategy<Value = String> {
    let branch = prop::option::of(0usize..8);
    prop::collection::vec((0u8..6, branch.clone(), branch.clone(), branch), 1..8).prop_map(|steps| {
        let count = steps.len();
        let mut text = String::from("steps:\n");
        for (n, (kind, success, partial, failure)) in steps.into_iter().enumerate() {
            let kind =
                ["run: crawl", "wait: nodes > 0", "sleep: 5s", "approve: ok?", "notify: x", "fault: {kind: resume}"]
                    [usize::from(kind)];
            text.push_str(&format!("- name: s{n}\n  {kind}\n  on:\n"));
            // the plain way on, so that every step can be reached
            let plain = if n + 1 < count { format!("s{}", n + 1) } else { "end".to_owned() };
            text.push_str(&format!("    success: {plain}\n"));
            for (name, jump) in [("partial", partial), ("failure", failure), ("always", success)] {
                let to = jump.map(|jump| n + 1 + jump).filter(|to| *to < count);
                if let Some(to) = to {
                    text.push_str(&format!("    {name}: s{to}\n"));
                }
            }
        }
        text
    })
}

proptest! {
    /// Whatever becomes of the steps: each begins at most once, only where an edge leads, and the run ends.
    #[test]
    fn every_run_ends_in_a_named_state_and_goes_only_along_edges(
        text in workflows(),
        outcomes in prop::collection::vec(0u8..4, 1..20),
        cut_after in prop::option::of(0usize..10),
    ) {
        let workflow = parse(&text).unwrap_or_else(|errors| panic!("{text}: {errors:?}"));
        let mut now = Time(0);
        let mut progress = Progress::begin(&workflow, now);
        let mut outcomes = outcomes.into_iter().cycle();
        let mut visited = Vec::new();
        while progress.state == RunState::Running {
            prop_assert!(visited.len() <= workflow.steps.len());
            let (step, run) = progress.current(&workflow).unwrap();
            visited.push(step.name.clone());
            prop_assert!(matches!(run.state, StepState::Running | StepState::AwaitsApproval));
            let json = serde_json::to_string(&progress).unwrap();
            prop_assert_eq!(serde_json::from_str::<Progress>(&json).unwrap(), progress.clone());
            if cut_after == Some(visited.len()) {
                progress.cut(RunState::Cancelled, "cancelled by anna", now);
                break;
            }
            let outcome = match outcomes.next().unwrap() {
                0 => StepOutcome::Partial,
                1 => StepOutcome::Failure,
                2 => {
                    // nobody does anything: time alone ends every step that waits
                    if let Some(until) = run.until { now = until; }
                    progress.due(&workflow, now).map_or(StepOutcome::Success, |(outcome, _)| outcome)
                }
                _ => StepOutcome::Success,
            };
            let target = step.then.after(outcome).clone();
            progress.step_ended(&workflow, outcome, "", now);
            match target {
                Target::Step(name) => prop_assert_eq!(progress.at.as_ref(), Some(&name)),
                Target::End => prop_assert_eq!(progress.state, RunState::Succeeded),
                Target::Fail => prop_assert_eq!(progress.state, RunState::Failed),
            }
        }
        prop_assert!(progress.at.is_none());
        let open = progress.steps.iter().any(|step| matches!(step.state, StepState::Waiting | StepState::Running | StepState::AwaitsApproval));
        prop_assert!(!open, "{:?}", progress.steps);
        prop_assert!(progress.steps.iter().all(|step| visited.contains(&step.name) == step.started_at.is_some()));
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}", cut in 0usize..700) {
        let _ = parse(&text);
        let cut: String = CHURN.chars().take(cut).collect();
        let _ = parse(&cut);
        let _ = parse(&format!("{cut}{text}"));
    }
}
