//! `p2ppool schedule …`

use std::process::ExitCode;

use clap::{Args as ClapArgs, Subcommand};
use p2ppool_model::schedule::{CatchUp, Overlap, RunOutcome, Schedule, ScheduleRun, Starts, When};
use p2ppool_model::task::Task;
use p2ppool_model::{Action, PoolName, ScheduleId, Time};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::client::Client;
use super::error::CliError;
use super::output::{Output, ago, known, table};
use super::watch::follow;

#[derive(Debug, Subcommand)]
pub(super) enum ScheduleCommand {
    /// List schedules, what they start and what became of the last time
    List {
        /// Only of this pool
        #[arg(long)]
        pool: Option<PoolName>,
    },
    /// Show one schedule and its last times
    Show {
        /// Its number
        schedule: ScheduleId,
    },
    /// Make a schedule
    Create {
        /// Name of the pool
        pool: PoolName,
        #[command(flatten)]
        plan: PlanArgs,
    },
    /// Change a schedule; what isn't given stays
    Edit {
        /// Its number
        schedule: ScheduleId,
        #[command(flatten)]
        plan: PlanArgs,
    },
    /// Delete a schedule; the tasks it started stay
    Delete {
        /// Its number
        schedule: ScheduleId,
    },
    /// Do it now
    Run {
        /// Its number
        schedule: ScheduleId,
        /// Show the progress until the task has ended; exit non-zero when a host failed
        #[arg(long)]
        wait: bool,
    },
    /// Tell what a cron expression means
    Preview {
        /// Minute, hour, day of month, month, day of week: "*/30 * * * *"
        cron: String,
        /// IANA time zone, such as Europe/Berlin
        #[arg(long, default_value = "UTC", value_name = "ZONE")]
        time_zone: String,
    },
}

/// When, what and how.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(super) struct PlanArgs {
    /// The action to start
    #[arg(long, conflicts_with = "workflow")]
    action: Option<Action>,
    /// Settings of the action, as JSON
    #[arg(long, requires = "action", value_name = "JSON")]
    params: Option<String>,
    /// The workflow to start
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// Again and again: minute, hour, day of month, month, day of week
    #[arg(long, value_name = "CRON", conflicts_with = "at")]
    cron: Option<String>,
    /// Once, at this time: 2026-12-24T18:00:00Z
    #[arg(long, value_name = "TIME")]
    at: Option<Time>,
    /// IANA time zone of the cron expression [default: UTC]
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// Put each time off by up to this many seconds
    #[arg(long, value_name = "SECONDS")]
    jitter: Option<u32>,
    /// Times at which no manager ran: skip, or run_once
    #[arg(long)]
    catch_up: Option<CatchUp>,
    /// While the last one still runs: skip, or queue
    #[arg(long)]
    overlap: Option<Overlap>,
    /// On or off
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    enabled: Option<bool>,
}

/// A schedule as the API tells it.
#[derive(Debug, Serialize, Deserialize)]
struct View {
    #[serde(flatten)]
    schedule: Schedule,
    words: String,
    next: Vec<Time>,
    runs: Vec<ScheduleRun>,
}

pub(super) async fn run(command: ScheduleCommand, client: &Client, output: Output) -> Result<ExitCode, CliError> {
    match command {
        ScheduleCommand::List { pool } => {
            let query = pool.map_or_else(String::new, |pool| format!("?pool={pool}"));
            let all: Vec<View> = client.get(&format!("schedules{query}")).await?;
            output.show(&all, || schedule_table(&all))?;
        }
        ScheduleCommand::Show { schedule } => {
            let view: View = client.get(&format!("schedules/{}", schedule.0)).await?;
            output.show(&view, || details(&view))?;
        }
        ScheduleCommand::Create { pool, plan } => {
            let view: View = client.post(&format!("pools/{pool}/schedules"), &patch(&plan)?).await?;
            output.show(&view, || details(&view))?;
        }
        ScheduleCommand::Edit { schedule, plan } => {
            let patch = patch(&plan)?;
            if patch == json!({}) {
                return Err(CliError::Other(
                    "nothing to change was given; see `p2ppool schedule edit --help`".to_owned(),
                ));
            }
            let view: View = client.patch(&format!("schedules/{}", schedule.0), &patch).await?;
            output.show(&view, || details(&view))?;
        }
        ScheduleCommand::Delete { schedule } => {
            client.delete(&format!("schedules/{}", schedule.0)).await?;
            output.show(&json!({ "deleted": schedule }), || format!("schedule #{schedule} deleted"))?;
        }
        ScheduleCommand::Run { schedule, wait } => {
            let run: ScheduleRun = client.post(&format!("schedules/{}/run", schedule.0), &json!({})).await?;
            if let (Some(task), true) = (run.task, wait) {
                let task: Task = client.get(&format!("tasks/{}", task.0)).await?;
                return follow(&task, client, output).await;
            }
            output.show(&run, || format!("schedule #{schedule}: {}", became(&run)))?;
        }
        ScheduleCommand::Preview { cron, time_zone } => preview(&cron, &time_zone, client, output).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn preview(cron: &str, time_zone: &str, client: &Client, output: Output) -> Result<(), CliError> {
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("cron", cron)
        .append_pair("time_zone", time_zone)
        .finish();
    let answer = client.get_value(&format!("schedules/preview?{query}")).await?;
    output.show(&answer, || {
        let next = answer["next"].as_array().map(Vec::as_slice).unwrap_or_default();
        let next: Vec<&str> = next.iter().filter_map(Value::as_str).collect();
        format!("{}\n{}", answer["words"].as_str().unwrap_or_default(), next.join("\n"))
    })
}

/// What was given, as the API takes it.
fn patch(args: &PlanArgs) -> Result<Value, CliError> {
    let mut patch = Map::new();
    if let Some(action) = args.action {
        let params = args.params.as_deref().map(serde_json::from_str::<Value>).transpose();
        let params = params.map_err(|error| CliError::Other(format!("--params is not JSON: {error}")))?;
        patch.insert("starts".to_owned(), json!({ "action": action, "params": params }));
    }
    if let Some(workflow) = &args.workflow {
        patch.insert("starts".to_owned(), json!({ "workflow": workflow }));
    }
    let given = [
        ("cron", args.cron.as_ref().map(|cron| json!(cron))),
        ("at", args.at.map(|at| json!(at))),
        ("time_zone", args.time_zone.as_ref().map(|zone| json!(zone))),
        ("jitter_s", args.jitter.map(|seconds| json!(seconds))),
        ("catch_up", args.catch_up.map(|word| json!(word))),
        ("overlap", args.overlap.map(|word| json!(word))),
        ("enabled", args.enabled.map(|on| json!(on))),
    ];
    patch.extend(given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    Ok(Value::Object(patch))
}

fn what(starts: &Starts) -> String {
    match starts {
        Starts::Action { action, params } if params.is_null() || *params == json!({}) => action.to_string(),
        Starts::Action { action, params } => format!("{action} {params}"),
        Starts::Workflow { workflow } => format!("workflow {workflow}"),
    }
}

fn became(run: &ScheduleRun) -> String {
    match (run.outcome, run.task, run.task_state) {
        (RunOutcome::Started, Some(task), Some(state)) => format!("task #{task}, {}", state.as_str()),
        (RunOutcome::Started, Some(task), None) => format!("task #{task}"),
        (outcome, ..) if run.message.is_empty() => outcome.as_str().to_owned(),
        (outcome, ..) => format!("{}: {}", outcome.as_str(), run.message),
    }
}

fn schedule_table(all: &[View]) -> String {
    let now = Time::now();
    let rows = all.iter().map(|view| {
        let plan = &view.schedule.plan;
        let when = match &plan.when {
            When::Cron(cron) if plan.time_zone == "UTC" => cron.clone(),
            When::Cron(cron) => format!("{cron} ({})", plan.time_zone),
            When::At(at) => format!("once, {at}"),
        };
        vec![
            format!("#{}", view.schedule.id),
            view.schedule.pool_name.clone(),
            what(&plan.starts),
            when,
            if plan.enabled { known(view.schedule.due_at) } else { "off".to_owned() },
            ago(view.runs.first().map(|run| run.at), now),
            view.runs.first().map_or_else(|| "-".to_owned(), became),
        ]
    });
    table(&["schedule", "pool", "starts", "when", "next", "last", "result"], &[], rows)
}

fn details(view: &View) -> String {
    let plan = &view.schedule.plan;
    let when = match &plan.when {
        When::Cron(cron) => format!("{cron} in {}: {}", plan.time_zone, view.words),
        When::At(_) => view.words.clone(),
    };
    let next: Vec<String> = view.next.iter().map(ToString::to_string).collect();
    let next = if next.is_empty() { "never".to_owned() } else { next.join(", ") };
    let rows = view.runs.iter().map(|run| vec![run.due_at.to_string(), became(run)]);
    let runs =
        if view.runs.is_empty() { String::new() } else { format!("\n\n{}", table(&["time", "result"], &[], rows)) };
    format!(
        "schedule #{} of {} starts {}\nwhen     {when}\nnext     {next}\njitter   {} s\nmissed   {}\noverlap  {}\n{}{runs}",
        view.schedule.id,
        view.schedule.pool_name,
        what(&plan.starts),
        plan.jitter_s,
        plan.catch_up.as_str(),
        plan.overlap.as_str(),
        if plan.enabled { "on" } else { "off" },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_given_is_sent() {
        let args = PlanArgs { action: Some(Action::Crawl), jitter: Some(5), ..PlanArgs::default() };
        assert_eq!(patch(&args).unwrap(), json!({ "starts": { "action": "crawl", "params": null }, "jitter_s": 5 }));
        assert_eq!(patch(&PlanArgs::default()).unwrap(), json!({}));
        let wrong = PlanArgs { action: Some(Action::Crawl), params: Some("{".into()), ..PlanArgs::default() };
        assert!(patch(&wrong).unwrap_err().to_string().contains("--params"));
    }
}
