//! Alert rules, targets, and what was found.

use p2ppool_model::alert::quiet::QuietHours;
use p2ppool_model::alert::{Alert, AlertRule, AlertState, Condition, Message, MessageKind, NAME_MAX, TARGETS_MAX};
use p2ppool_model::pool::Pool;
use p2ppool_model::role::Role;
use p2ppool_model::{AlertId, AlertRuleId, AlertTargetId, Time, UserId};
use p2ppool_store::{AlertFilter, AlertTarget, Listed, Page, SecretScope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::accounts::{Right, Viewer};
use crate::alerts::send::secret_name;
use crate::alerts::target::TargetSettings;
use crate::alerts::{AlertSettings, deliver};
use crate::app::App;
use crate::service::{Error, pools};

/// Most rules of one pool: more than anybody reads.
const RULES_MAX: usize = 100;
/// Most targets of one person.
const OWN_TARGETS_MAX: usize = 50;
/// Longest secret or password, bytes.
const SECRET_MAX: usize = 1024;
/// Longest comment, characters.
const COMMENT_MAX: usize = 1000;

/// A rule to make.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRule {
    /// A name for people.
    pub name: String,
    /// What it watches.
    pub condition: Condition,
    /// Where its messages go; with none, alerts are only shown.
    #[serde(default)]
    pub targets: Vec<AlertTargetId>,
}

/// What changes of a rule; what isn't given stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RuleChange {
    /// Another name.
    pub name: Option<String>,
    /// Another condition.
    pub condition: Option<Condition>,
    /// Other targets.
    pub targets: Option<Vec<AlertTargetId>>,
    /// On or off.
    pub enabled: Option<bool>,
}

/// A target to make.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTarget {
    /// A name for people.
    pub name: String,
    /// What it is.
    pub settings: TargetSettings,
    /// What a webhook is signed with, or the password of a mail account. Never sent back. A webhook without one gets a
    /// random one, told once.
    #[serde(default)]
    #[schema(write_only)]
    pub secret: Option<String>,
    /// When nobody wants to be told.
    #[serde(default)]
    pub quiet: Option<QuietHours>,
}

/// What changes of a target; what isn't given stays.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TargetChange {
    /// Another name.
    pub name: Option<String>,
    /// Something else; of another kind, the secret must be given, too.
    pub settings: Option<TargetSettings>,
    /// Another secret.
    #[schema(write_only)]
    pub secret: Option<String>,
    /// Other quiet hours; null: none.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<QuietHours>)]
    pub quiet: Option<Option<QuietHours>>,
    /// On or off. Messages wait while it is off.
    pub enabled: Option<bool>,
}

/// Null is something other than nothing.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<QuietHours>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A target, and how its messages fare.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TargetState {
    /// Row identity.
    pub id: AlertTargetId,
    /// Who made it.
    pub owner: Option<UserId>,
    /// A name for people.
    pub name: String,
    /// What it is.
    pub settings: TargetSettings,
    /// When nobody wants to be told.
    pub quiet: Option<QuietHours>,
    /// Messages are sent.
    pub enabled: bool,
    /// When it was made.
    pub created: Time,
    /// It has a secret.
    pub has_secret: bool,
    /// The secret that was made for it, told once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Messages that wait to be sent.
    pub waiting: u64,
    /// Messages that were given up after days.
    pub lost: u64,
    /// When the last message arrived.
    pub delivered: Option<Time>,
    /// What went wrong with the newest message, while it does.
    pub error: Option<String>,
}

/// How a test went.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TestResult {
    /// The message arrived.
    pub delivered: bool,
    /// Why not.
    pub error: Option<String>,
}

fn name(text: &str) -> Result<String, Error> {
    let text = text.trim();
    let fine = !text.is_empty() && text.len() <= NAME_MAX && !text.chars().any(char::is_control);
    if fine {
        Ok(text.to_owned())
    } else {
        Err(Error::field("name", format!("must be 1 to {NAME_MAX} bytes on one line")))
    }
}

/// Rules of a pool.
pub async fn rules(app: &App, pool: &Pool) -> Result<Vec<AlertRule>, Error> {
    Ok(app.store.alert_rules(Some(pool.id)).await?)
}

/// Makes a rule.
pub async fn create_rule(app: &App, viewer: &Viewer, pool: &Pool, new: NewRule) -> Result<AlertRule, Error> {
    let name = name(&new.name)?;
    new.condition.check()?;
    usable(app, viewer, &new.targets).await?;
    if rules(app, pool).await?.len() >= RULES_MAX {
        let message = format!("a pool has at most {RULES_MAX} alert rules");
        return Err(Error::Conflict { code: "too_many_rules", message });
    }
    let rule = app.store.create_alert_rule(pool.id, &name, &new.condition, &new.targets, Time::now()).await?;
    app.alerts.changed();
    Ok(rule)
}

/// The rule, and its pool, when one may do this much with it.
pub async fn rule(app: &App, viewer: &Viewer, id: AlertRuleId, needed: Right) -> Result<(AlertRule, Pool), Error> {
    let rule = app.store.alert_rule(id).await?;
    let pool = permitted(app, viewer, rule.pool, needed).await?;
    Ok((rule, pool))
}

async fn permitted(app: &App, viewer: &Viewer, id: p2ppool_model::PoolId, needed: Right) -> Result<Pool, Error> {
    let pool = app.store.pool(id).await?;
    match needed {
        Right::Manage | Right::Own => pools::changeable(app, viewer, pool.name.as_str()).await,
        Right::See | Right::Inspect => {
            let seen = pools::visible(app, viewer, pool.name.as_str()).await?;
            if viewer.right_on(&seen) >= Some(needed) { Ok(seen) } else { Err(Error::Unauthenticated("seeing alerts")) }
        }
    }
}

/// Changes a rule.
pub async fn change_rule(app: &App, viewer: &Viewer, id: AlertRuleId, change: RuleChange) -> Result<AlertRule, Error> {
    let (mut rule, _) = self::rule(app, viewer, id, Right::Manage).await?;
    if let Some(text) = &change.name {
        rule.name = name(text)?;
    }
    if let Some(condition) = change.condition {
        condition.check()?;
        rule.condition = condition;
    }
    if let Some(targets) = change.targets {
        // those it has already stay usable: an administrator may have added them
        let new: Vec<_> = targets.iter().filter(|target| !rule.targets.contains(target)).copied().collect();
        usable(app, viewer, &new).await?;
        rule.targets = targets;
    }
    rule.enabled = change.enabled.unwrap_or(rule.enabled);
    app.store.set_alert_rule(&rule).await?;
    app.alerts.changed();
    Ok(rule)
}

/// Forgets a rule.
pub async fn delete_rule(app: &App, viewer: &Viewer, id: AlertRuleId) -> Result<(), Error> {
    let (_, pool) = rule(app, viewer, id, Right::Manage).await?;
    app.store.delete_alert_rule(id, Time::now()).await?;
    app.events.publish(Some(pool.name.as_str()), p2ppool_model::event::Change::Alerts);
    Ok(())
}

async fn usable(app: &App, viewer: &Viewer, targets: &[AlertTargetId]) -> Result<(), Error> {
    if targets.len() > TARGETS_MAX {
        return Err(Error::field("targets", format!("more than {TARGETS_MAX}")));
    }
    for id in targets {
        let found = app.store.alert_target(*id).await.ok().filter(|target| is_theirs(viewer, target));
        found.ok_or_else(|| Error::field("targets", format!("there is no alert target {id} that you may use")))?;
    }
    Ok(())
}

fn is_theirs(viewer: &Viewer, target: &AlertTarget) -> bool {
    viewer.is_at_least(Role::Administrator) || (viewer.id().is_some() && viewer.id() == target.owner)
}

/// One's own targets; administrators see all.
pub async fn targets(app: &App, viewer: &Viewer) -> Result<Vec<TargetState>, Error> {
    let mut states = Vec::new();
    for target in app.store.alert_targets().await?.into_iter().filter(|target| is_theirs(viewer, target)) {
        states.push(state(app, target).await?);
    }
    Ok(states)
}

async fn state(app: &App, target: AlertTarget) -> Result<TargetState, Error> {
    let outbox = app.store.outbox_state(target.id).await?;
    let secret = app.store.secret(SecretScope::Manager, &secret_name(target.id)).await?;
    Ok(TargetState {
        settings: serde_json::from_value(target.settings).map_err(Error::internal)?,
        id: target.id,
        owner: target.owner,
        name: target.name,
        quiet: target.quiet,
        enabled: target.enabled,
        created: target.created,
        has_secret: secret.is_some(),
        secret: None,
        waiting: outbox.waiting,
        lost: outbox.lost,
        delivered: outbox.delivered,
        error: outbox.error,
    })
}

async fn their_target(app: &App, viewer: &Viewer, id: AlertTargetId) -> Result<AlertTarget, Error> {
    let target = app.store.alert_target(id).await?;
    // one that is not theirs is told apart from none by nobody
    if is_theirs(viewer, &target) { Ok(target) } else { Err(Error::Missing(format!("alert target {id}"))) }
}

/// The target.
pub async fn target(app: &App, viewer: &Viewer, id: AlertTargetId) -> Result<TargetState, Error> {
    state(app, their_target(app, viewer, id).await?).await
}

/// Makes a target.
pub async fn create_target(app: &App, viewer: &Viewer, new: NewTarget) -> Result<TargetState, Error> {
    let name = name(&new.name)?;
    new.settings.check()?;
    new.quiet.as_ref().map(QuietHours::check).transpose()?;
    check_secret(new.secret.as_deref())?;
    let own = app.store.alert_targets().await?.into_iter().filter(|target| target.owner == viewer.id()).count();
    if own >= OWN_TARGETS_MAX {
        let message = format!("a person has at most {OWN_TARGETS_MAX} alert targets");
        return Err(Error::Conflict { code: "too_many_targets", message });
    }
    let made = match (&new.settings, &new.secret) {
        (TargetSettings::Webhook { .. }, None) => Some(random_secret()?),
        _ => None,
    };
    let settings = serde_json::to_value(&new.settings).map_err(Error::internal)?;
    let target = app.store.create_alert_target(viewer.id(), &name, &settings, new.quiet.as_ref(), Time::now()).await?;
    if let Some(secret) = made.as_ref().or(new.secret.as_ref()) {
        keep_secret(app, target.id, secret).await?;
    }
    Ok(TargetState { secret: made, ..state(app, target).await? })
}

fn check_secret(secret: Option<&str>) -> Result<(), Error> {
    match secret {
        Some(secret) if secret.is_empty() || secret.len() > SECRET_MAX => {
            Err(Error::field("secret", format!("must be 1 to {SECRET_MAX} bytes")))
        }
        _ => Ok(()),
    }
}

fn random_secret() -> Result<String, Error> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| Error::internal(anyhow::anyhow!("no random bytes: {error}")))?;
    Ok(hex::encode(bytes))
}

async fn keep_secret(app: &App, id: AlertTargetId, secret: &str) -> Result<(), Error> {
    Ok(app.secrets.put(&app.store, SecretScope::Manager, &secret_name(id), secret.as_bytes()).await?)
}

/// Changes a target.
pub async fn change_target(
    app: &App,
    viewer: &Viewer,
    id: AlertTargetId,
    change: TargetChange,
) -> Result<TargetState, Error> {
    let mut target = their_target(app, viewer, id).await?;
    if let Some(text) = &change.name {
        target.name = name(text)?;
    }
    check_secret(change.secret.as_deref())?;
    if let Some(settings) = &change.settings {
        settings.check()?;
        // a kept password must not travel to a server that somebody else chose
        let elsewhere = serde_json::to_value(settings).map_err(Error::internal)? != target.settings;
        if elsewhere && change.secret.is_none() && target.owner != viewer.id() {
            return Err(Error::field("secret", "must be given again when somebody else's target goes elsewhere"));
        }
        target.settings = serde_json::to_value(settings).map_err(Error::internal)?;
    }
    if let Some(quiet) = change.quiet {
        quiet.as_ref().map(QuietHours::check).transpose()?;
        target.quiet = quiet;
    }
    target.enabled = change.enabled.unwrap_or(target.enabled);
    if let Some(secret) = &change.secret {
        keep_secret(app, id, secret).await?;
    }
    app.store.set_alert_target(&target).await?;
    app.alerts.changed();
    state(app, target).await
}

/// Forgets a target, its secret and its messages.
pub async fn delete_target(app: &App, viewer: &Viewer, id: AlertTargetId) -> Result<(), Error> {
    their_target(app, viewer, id).await?;
    app.store.delete_alert_target(id).await?;
    Ok(app.store.delete_secret(SecretScope::Manager, &secret_name(id)).await?)
}

/// Sends a message now, past the outbox, and tells how it went.
pub async fn test_target(app: &App, viewer: &Viewer, id: AlertTargetId) -> Result<TestResult, Error> {
    let target = their_target(app, viewer, id).await?;
    let settings: TargetSettings = serde_json::from_value(target.settings).map_err(Error::internal)?;
    let secret = app.secrets.get(&app.store, SecretScope::Manager, &secret_name(id)).await?;
    let secret = secret.map(|bytes| zeroize::Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()));
    let allowed = AlertSettings::of(&app.store).await?.allowed_networks;
    let message = Message {
        kind: MessageKind::Test,
        at: Time::now(),
        pool: None,
        rule: "test".to_owned(),
        title: "P2PPool Manager: a test".to_owned(),
        text: format!("{} wanted to know whether messages arrive here.", viewer.name()),
        alerts: Vec::new(),
    };
    let secret = secret.as_ref().map(|text| text.as_str());
    let sent = deliver(0, &message, &settings, secret, &allowed).await;
    Ok(TestResult { delivered: sent.is_ok(), error: sent.err() })
}

/// Alerts of the pools that one may look into, newest first.
pub async fn alerts(
    app: &App,
    viewer: &Viewer,
    pool: Option<&str>,
    state: Option<AlertState>,
    page: Page,
) -> Result<Listed<Alert>, Error> {
    if let Some(name) = pool {
        let pool = pools::visible(app, viewer, name).await?;
        if viewer.right_on(&pool) < Some(Right::Inspect) {
            return Err(Error::Unauthenticated("seeing alerts"));
        }
        return Ok(app.store.alerts(AlertFilter { pool: Some(pool.id), state }, page).await?);
    }
    if viewer.is_at_least(Role::Administrator) && !viewer.is_limited() {
        return Ok(app.store.alerts(AlertFilter { pool: None, state }, page).await?);
    }
    let mut all = Listed { total: 0, items: Vec::new() };
    let reach = Page::first(page.limit.saturating_add(u32::try_from(page.offset).unwrap_or(u32::MAX)));
    for pool in app.store.pools().await?.iter().filter(|pool| viewer.right_on(pool) >= Some(Right::Inspect)) {
        let of_pool = app.store.alerts(AlertFilter { pool: Some(pool.id), state }, reach).await?;
        all.total += of_pool.total;
        all.items.extend(of_pool.items);
    }
    all.items.sort_by_key(|alert| std::cmp::Reverse(alert.id));
    let skip = usize::try_from(page.offset).unwrap_or(usize::MAX);
    all.items = all.items.into_iter().skip(skip).take(page.limit as usize).collect();
    Ok(all)
}

/// Notes that somebody saw it.
pub async fn acknowledge(app: &App, viewer: &Viewer, id: AlertId, comment: Option<&str>) -> Result<Alert, Error> {
    let alert = app.store.alert(id).await?;
    let pool = permitted(app, viewer, alert.pool, Right::Manage).await?;
    if comment.is_some_and(|comment| comment.chars().count() > COMMENT_MAX) {
        return Err(Error::field("comment", format!("longer than {COMMENT_MAX} characters")));
    }
    app.store.acknowledge_alert(id, viewer.name(), comment, Time::now()).await?;
    app.events.publish(Some(pool.name.as_str()), p2ppool_model::event::Change::Alerts);
    Ok(app.store.alert(id).await?)
}
