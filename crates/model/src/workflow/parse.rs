//! From text to workflow, or every error with its line.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_saphyr::{Location, Spanned};

use super::{
    APPROVAL_DEFAULT_S, Branches, CONDITIONS_MAX, Condition, MESSAGE_MAX, Place, STEPS_MAX, StepDef, StepKind,
    TEXT_MAX, Target, WAIT_MAX_S, WITHIN_DEFAULT_S, Workflow, WorkflowError, duration,
};
use crate::alert::TARGETS_MAX;
use crate::fault::Fault;
use crate::pool::is_name;

/// Most nodes of the YAML tree: some dozen for each of the most steps.
const NODES_MAX: usize = 10_000;
/// Deepest nesting; settings of actions are the deepest.
const DEPTH_MAX: usize = 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWorkflow {
    #[serde(default)]
    description: String,
    steps: Spanned<Vec<RawStep>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    name: Spanned<String>,
    run: Option<Spanned<String>>,
    with: Option<Spanned<Value>>,
    wait: Option<Spanned<OneOrMany>>,
    sleep: Option<Spanned<Length>>,
    approve: Option<Spanned<String>>,
    notify: Option<Spanned<String>>,
    to: Option<Spanned<OneOrMany>>,
    fault: Option<Spanned<Fault>>,
    within: Option<Spanned<Length>>,
    on: Option<Spanned<BTreeMap<String, Spanned<String>>>>,
}

/// One text or a list of them: conditions, alert targets.
struct OneOrMany(Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Given {
            One(String),
            Many(Vec<String>),
        }
        match Given::deserialize(deserializer) {
            Ok(Given::One(one)) => Ok(Self(vec![one])),
            Ok(Given::Many(many)) => Ok(Self(many)),
            Err(_) => Err(serde::de::Error::custom("must be a text such as `nodes >= 95%`, or a list of them")),
        }
    }
}

/// Seconds, or a text such as `10m`.
struct Length(Result<u64, String>);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Given {
            Seconds(u64),
            Text(String),
        }
        Ok(Self(match Given::deserialize(deserializer) {
            Ok(Given::Seconds(seconds)) => Ok(seconds),
            Ok(Given::Text(text)) => duration(&text),
            Err(_) => Err("must be a length of time such as `10m`".to_owned()),
        }))
    }
}

/// Reads a workflow (YAML, or JSON, which is YAML, too) and checks it.
///
/// # Errors
/// Everything that is wrong, by line; of a text that is no YAML only the first error.
pub fn parse(text: &str) -> Result<Workflow, Vec<WorkflowError>> {
    let at_start = |reason: String| vec![WorkflowError { at: Place { line: 1, column: 1 }, reason }];
    if text.len() > TEXT_MAX {
        return Err(at_start(format!("a workflow has at most {TEXT_MAX} bytes, this one has {}", text.len())));
    }
    let options = serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_nodes: NODES_MAX,
            max_depth: DEPTH_MAX,
            max_documents: 1,
            max_aliases: 0,
            max_anchors: 0,
        },
    };
    let raw: RawWorkflow = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let at = error.location().map(place).filter(|at| at.line > 0);
        let text = error.without_snippet().to_string();
        let line = text.lines().next().unwrap_or_default();
        // the place is told beside it
        let reason = line.rsplit_once(" at line ").map_or(line, |(reason, _)| reason).chars().take(300).collect();
        vec![WorkflowError { at: at.unwrap_or(Place { line: 1, column: 1 }), reason }]
    })?;
    Checker::default().workflow(raw)
}

fn place(location: Location) -> Place {
    Place { line: location.line(), column: location.column() }
}

#[derive(Default)]
struct Checker {
    errors: Vec<WorkflowError>,
}

impl Checker {
    fn workflow(mut self, raw: RawWorkflow) -> Result<Workflow, Vec<WorkflowError>> {
        let at = place(raw.steps.referenced);
        let steps = raw.steps.value;
        if steps.is_empty() || steps.len() > STEPS_MAX {
            self.wrong(at, format!("a workflow has 1 to {STEPS_MAX} steps, this one has {}", steps.len()));
            return Err(self.errors);
        }
        if raw.description.len() > MESSAGE_MAX {
            self.wrong(Place { line: 1, column: 1 }, format!("description: longer than {MESSAGE_MAX} bytes"));
        }
        self.names(&steps);
        let names: Vec<String> = steps.iter().map(|step| step.name.value.clone()).collect();
        let defs: Vec<Option<StepDef>> =
            steps.into_iter().enumerate().map(|(number, step)| self.step(number, step, &names)).collect();
        let whole: Option<Vec<StepDef>> = defs.into_iter().collect();
        if let Some(steps) = whole.filter(|_| self.errors.is_empty()) {
            let workflow = Workflow { description: raw.description, steps };
            self.graph(&workflow);
            if self.errors.is_empty() {
                return Ok(workflow);
            }
        }
        self.errors.sort();
        Err(self.errors)
    }

    fn wrong(&mut self, at: Place, reason: impl Into<String>) {
        self.errors.push(WorkflowError { at, reason: reason.into() });
    }

    fn names(&mut self, steps: &[RawStep]) {
        let mut seen = std::collections::HashMap::new();
        for step in steps {
            let (name, at) = (&step.name.value, place(step.name.referenced));
            let shown: String = name.chars().take(80).collect();
            if !is_name(name) {
                self.wrong(at, format!("`{shown}` is no name: 1 to 63 of a-z, 0-9 and `-`"));
            } else if matches!(name.as_str(), "end" | "fail") {
                self.wrong(at, format!("`{name}` is the name of an end; call the step something else"));
            } else if let Some(first) = seen.insert(name.as_str(), at.line) {
                self.wrong(at, format!("there is a step `{name}` in line {first} already"));
            }
        }
    }

    fn step(&mut self, number: usize, raw: RawStep, names: &[String]) -> Option<StepDef> {
        let at = place(raw.name.referenced);
        let then = self.branches(number, raw.on.as_ref(), names);
        let kind = self.kind(at, &raw);
        Some(StepDef { name: raw.name.value, at, kind: kind?, then })
    }

    fn kind(&mut self, at: Place, raw: &RawStep) -> Option<StepKind> {
        let given = [
            ("run", raw.run.is_some()),
            ("wait", raw.wait.is_some()),
            ("sleep", raw.sleep.is_some()),
            ("approve", raw.approve.is_some()),
            ("notify", raw.notify.is_some()),
            ("fault", raw.fault.is_some()),
        ];
        let given: Vec<&str> = given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect();
        let name = match given[..] {
            [name] => name,
            [] => {
                self.wrong(at, "a step needs one of run, wait, sleep, approve, notify, fault");
                return None;
            }
            _ => {
                self.wrong(at, format!("a step does one thing, this one has {}", given.join(" and ")));
                return None;
            }
        };
        if let (Some(with), true) = (&raw.with, name != "run") {
            self.wrong(place(with.referenced), format!("`with` belongs to `run`, not to `{name}`"));
        }
        if let (Some(to), true) = (&raw.to, name != "notify") {
            self.wrong(place(to.referenced), format!("`to` belongs to `notify`, not to `{name}`"));
        }
        if let (Some(within), false) = (&raw.within, matches!(name, "wait" | "approve")) {
            self.wrong(place(within.referenced), format!("`within` belongs to `wait` and `approve`, not to `{name}`"));
        }
        self.one_kind(raw)
    }

    fn one_kind(&mut self, raw: &RawStep) -> Option<StepKind> {
        if let Some(run) = &raw.run {
            let params = raw.with.as_ref().map_or(Value::Null, |with| with.value.clone());
            return match run.value.parse() {
                Ok(crate::Action::Fault) => {
                    self.wrong(place(run.referenced), "write a fault as `fault: { kind: stop, share: 20% }`");
                    None
                }
                Ok(action) => Some(StepKind::Run { action, params }),
                Err(why) => {
                    let known: Vec<&str> = crate::Action::ALL
                        .iter()
                        .map(|action| action.as_str())
                        .filter(|name| *name != "fault")
                        .collect();
                    self.wrong(place(run.referenced), format!("{why}; there are {}", known.join(", ")));
                    None
                }
            };
        }
        if let Some(wait) = &raw.wait {
            let conditions = self.conditions(wait);
            let within_s = self.within(raw.within.as_ref(), WITHIN_DEFAULT_S)?;
            return Some(StepKind::Wait { conditions: conditions?, within_s });
        }
        if let Some(sleep) = &raw.sleep {
            return Some(StepKind::Sleep { seconds: self.length(sleep)? });
        }
        if let Some(question) = &raw.approve {
            let within_s = self.within(raw.within.as_ref(), APPROVAL_DEFAULT_S)?;
            return Some(StepKind::Approve { question: self.text(question)?, within_s });
        }
        if let Some(message) = &raw.notify {
            let to = self.targets(raw.to.as_ref())?;
            return Some(StepKind::Notify { message: self.text(message)?, to });
        }
        let fault = raw.fault.as_ref()?;
        if let Err(why) = fault.value.check() {
            self.wrong(place(fault.referenced), why);
            return None;
        }
        Some(StepKind::Fault { fault: fault.value.clone() })
    }

    fn conditions(&mut self, wait: &Spanned<OneOrMany>) -> Option<Vec<Condition>> {
        let (texts, at) = (&wait.value.0, place(wait.referenced));
        if texts.is_empty() || texts.len() > CONDITIONS_MAX {
            self.wrong(at, format!("a step waits for 1 to {CONDITIONS_MAX} conditions, this one for {}", texts.len()));
            return None;
        }
        let before = self.errors.len();
        let read = texts.iter().filter_map(|text| text.parse().map_err(|why: String| self.wrong(at, why)).ok());
        let conditions: Vec<Condition> = read.collect();
        (self.errors.len() == before).then_some(conditions)
    }

    fn targets(&mut self, to: Option<&Spanned<OneOrMany>>) -> Option<Vec<String>> {
        let Some(to) = to else { return Some(Vec::new()) };
        let names = &to.value.0;
        let fits = |name: &String| !name.trim().is_empty() && name.len() <= MESSAGE_MAX;
        if names.is_empty() || names.len() > TARGETS_MAX || !names.iter().all(fits) {
            self.wrong(place(to.referenced), format!("must be 1 to {TARGETS_MAX} alert targets, by name or number"));
            return None;
        }
        Some(names.clone())
    }

    fn text(&mut self, text: &Spanned<String>) -> Option<String> {
        if text.value.trim().is_empty() || text.value.len() > MESSAGE_MAX {
            self.wrong(place(text.referenced), format!("must be a text of 1 to {MESSAGE_MAX} bytes"));
            return None;
        }
        Some(text.value.clone())
    }

    fn within(&mut self, within: Option<&Spanned<Length>>, otherwise: u64) -> Option<u64> {
        within.map_or(Some(otherwise), |within| self.length(within))
    }

    fn length(&mut self, length: &Spanned<Length>) -> Option<u64> {
        let at = place(length.referenced);
        match &length.value.0 {
            Ok(seconds) if (1..=WAIT_MAX_S).contains(seconds) => Some(*seconds),
            Ok(_) => {
                self.wrong(at, "must be from 1 second to 7 days");
                None
            }
            Err(why) => {
                self.wrong(at, why.clone());
                None
            }
        }
    }

    /// Success goes on with the next step, failure and partial success fail, unless the step says otherwise.
    fn branches(
        &mut self,
        number: usize,
        on: Option<&Spanned<BTreeMap<String, Spanned<String>>>>,
        names: &[String],
    ) -> Branches {
        let next = names.get(number + 1).map_or(Target::End, |name| Target::Step(name.clone()));
        let empty = BTreeMap::new();
        let given = on.map_or(&empty, |on| &on.value);
        let mut target = |outcome: &str| {
            let named = given.get(outcome)?;
            let target = Target::from(named.value.clone());
            if let Target::Step(name) = &target
                && !names.contains(name)
            {
                let shown: String = name.chars().take(80).collect();
                self.wrong(
                    place(named.referenced),
                    format!("there is no step `{shown}`; the ends are `end` and `fail`"),
                );
            }
            Some(target)
        };
        let [success, partial, failure, always] = ["success", "partial", "failure", "always"].map(&mut target);
        for (outcome, named) in given {
            if !matches!(outcome.as_str(), "success" | "partial" | "failure" | "always") {
                let shown: String = outcome.chars().take(80).collect();
                self.wrong(place(named.referenced), format!("`{shown}` is none of success, partial, failure, always"));
            }
        }
        let failed = failure.or_else(|| always.clone()).unwrap_or(Target::Fail);
        Branches {
            success: success.or_else(|| always.clone()).unwrap_or(next),
            partial: partial.or(always).unwrap_or_else(|| failed.clone()),
            failure: failed,
        }
    }

    /// No step comes before itself, and each can be reached.
    fn graph(&mut self, workflow: &Workflow) {
        let next: Vec<Vec<usize>> = workflow
            .steps
            .iter()
            .map(|step| {
                let named = |target: &&Target| match target {
                    Target::Step(name) => workflow.index_of(name),
                    _ => None,
                };
                step.then.all().iter().filter_map(named).collect()
            })
            .collect();
        let mut seen = vec![Mark::New; next.len()];
        let mut stack = vec![(0usize, 0usize)];
        seen[0] = Mark::Open;
        while let Some((at, branch)) = stack.pop() {
            let Some(to) = next[at].get(branch).copied() else {
                seen[at] = Mark::Done;
                continue;
            };
            stack.push((at, branch + 1));
            match seen[to] {
                Mark::New => {
                    seen[to] = Mark::Open;
                    stack.push((to, 0));
                }
                Mark::Open => {
                    let (from, to) = (&workflow.steps[at], &workflow.steps[to]);
                    let reason = format!("a cycle: `{}` leads back to `{}` in line {}", from.name, to.name, to.at.line);
                    if !self.errors.iter().any(|error| error.reason == reason) {
                        self.wrong(from.at, reason);
                    }
                }
                Mark::Done => {}
            }
        }
        for (step, mark) in workflow.steps.iter().zip(seen) {
            if mark == Mark::New {
                self.wrong(step.at, format!("nothing leads to the step `{}`", step.name));
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    Open,
    Done,
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
