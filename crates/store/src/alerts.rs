//! Alerts: rules, what they found, targets.

use p2ppool_model::alert::lifecycle::Decision;
use p2ppool_model::alert::quiet::QuietHours;
use p2ppool_model::alert::watch::Finding;
use p2ppool_model::alert::{Alert, AlertRule, AlertState, Condition, Message, MessageKind};
use p2ppool_model::pool::Pool;
use p2ppool_model::{AlertId, AlertRuleId, AlertTargetId, PoolId, Time, UserId};
use sqlx::FromRow;

use crate::Store;
use crate::alert_messages::enqueue;
use crate::db::{Tx, execute, on, write_one};
use crate::error::{Result, StoreError, Tried as _, referenced};
use crate::page::{Listed, Order, Page};
use crate::sql::{Sql, count, fetch_all};
use crate::text::{clean, from_json, parse, to_json};

/// A target as it lies in its table. Its secret lies in `secrets`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertTarget {
    /// Row identity.
    pub id: AlertTargetId,
    /// Who made it.
    pub owner: Option<UserId>,
    /// A name for people.
    pub name: String,
    /// What it is, without its secret.
    pub settings: serde_json::Value,
    /// When nobody wants to be told.
    pub quiet: Option<QuietHours>,
    /// Messages are sent.
    pub enabled: bool,
    /// When it was made.
    pub created: Time,
}

/// Which alerts; the newest come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlertFilter {
    /// Of this pool.
    pub pool: Option<PoolId>,
    /// In this state.
    pub state: Option<AlertState>,
}

#[derive(FromRow)]
struct TargetRow {
    id: i64,
    owner: Option<i64>,
    name: String,
    settings: String,
    quiet: Option<String>,
    enabled: bool,
    created: i64,
}

fn target_from(row: TargetRow) -> Result<AlertTarget> {
    let what = |field| format!("{field} of alert target {}", row.id);
    Ok(AlertTarget {
        settings: from_json(&what("settings"), &row.settings)?,
        quiet: row.quiet.as_deref().map(|text| from_json(&what("quiet hours"), text)).transpose()?,
        id: AlertTargetId(row.id),
        owner: row.owner.map(UserId),
        name: row.name,
        enabled: row.enabled,
        created: Time(row.created),
    })
}

#[derive(FromRow)]
struct RuleRow {
    id: i64,
    pool_id: i64,
    name: String,
    condition: String,
    targets: String,
    enabled: bool,
    created: i64,
}

fn rule_from(row: RuleRow) -> Result<AlertRule> {
    let what = |field| format!("{field} of alert rule {}", row.id);
    Ok(AlertRule {
        condition: from_json(&what("condition"), &row.condition)?,
        targets: from_json(&what("targets"), &row.targets)?,
        id: AlertRuleId(row.id),
        pool: PoolId(row.pool_id),
        name: row.name,
        enabled: row.enabled,
        created: Time(row.created),
    })
}

#[derive(FromRow)]
struct AlertRow {
    id: i64,
    rule_id: i64,
    rule_name: String,
    pool_id: i64,
    pool_name: String,
    subject: String,
    text: String,
    state: String,
    since: i64,
    opened: Option<i64>,
    recovered: Option<i64>,
    acknowledged_by: Option<String>,
    acknowledged: Option<i64>,
    comment: Option<String>,
}

fn alert_from(row: AlertRow) -> Result<Alert> {
    Ok(Alert {
        pool_name: parse(&format!("pool of alert {}", row.id), &row.pool_name)?,
        state: parse(&format!("state of alert {}", row.id), &row.state)?,
        id: AlertId(row.id),
        rule: AlertRuleId(row.rule_id),
        rule_name: row.rule_name,
        pool: PoolId(row.pool_id),
        subject: row.subject,
        text: row.text,
        since: Time(row.since),
        opened: row.opened.map(Time),
        recovered: row.recovered.map(Time),
        acknowledged_by: row.acknowledged_by,
        acknowledged: row.acknowledged.map(Time),
        comment: row.comment,
    })
}

const RULES: &str = "SELECT id, pool_id, name, condition, targets, enabled, created FROM alert_rules WHERE ";
const TARGETS: &str = "SELECT id, owner, name, settings, quiet, enabled, created FROM alert_targets WHERE ";
const ALERTS: &str = "SELECT a.id, a.rule_id, a.rule_name, a.pool_id, p.name AS pool_name, a.subject, a.text, a.state,
    a.since, a.opened, a.recovered, a.acknowledged_by, a.acknowledged, a.comment
    FROM alerts a JOIN pools p ON p.id = a.pool_id ";

impl Store {
    /// Makes a rule.
    pub async fn create_alert_rule(
        &self,
        pool: PoolId,
        name: &str,
        condition: &Condition,
        targets: &[AlertTargetId],
        now: Time,
    ) -> Result<AlertRule> {
        let (condition, targets) = (to_json("a condition", condition)?, to_json("targets", &targets)?);
        let mut tx = self.db.begin().await?;
        let made: sqlx::Result<i64> = on!(tx.conn(), conn => {
            sqlx::query_scalar(
                "INSERT INTO alert_rules (pool_id, name, condition, targets, enabled, created)
                 VALUES ($1, $2, $3, $4, TRUE, $5) RETURNING id",
            )
            .bind(pool.0)
            .bind(clean(name))
            .bind(condition)
            .bind(targets)
            .bind(now.0)
            .fetch_one(conn)
            .await
        });
        let id = referenced(made, "make an alert rule", || format!("pool {pool}"))?;
        tx.commit().await?;
        self.alert_rule(AlertRuleId(id)).await
    }

    /// The rule.
    pub async fn alert_rule(&self, id: AlertRuleId) -> Result<AlertRule> {
        let rows =
            fetch_all!(self.db.read(), RuleRow, Sql::new(RULES).with("id = ", id.0)).tried("read an alert rule")?;
        let row = rows.into_iter().next().ok_or_else(|| StoreError::not_found(format!("alert rule {id}")))?;
        rule_from(row)
    }

    /// Rules of a pool, or of all.
    pub async fn alert_rules(&self, pool: Option<PoolId>) -> Result<Vec<AlertRule>> {
        let mut sql = Sql::new(RULES).with("0 = ", 0).with_some(" AND pool_id = ", pool.map(|pool| pool.0));
        sql.push(" ORDER BY id");
        fetch_all!(self.db.read(), RuleRow, sql).tried("list alert rules")?.into_iter().map(rule_from).collect()
    }

    /// Replaces what may change of a rule.
    pub async fn set_alert_rule(&self, rule: &AlertRule) -> Result<()> {
        let changed = write_one!(
            self.db,
            "change an alert rule",
            "UPDATE alert_rules SET name = $1, condition = $2, targets = $3, enabled = $4 WHERE id = $5",
            clean(&rule.name),
            to_json("a condition", &rule.condition)?,
            to_json("targets", &rule.targets)?,
            rule.enabled,
            rule.id.0,
        );
        if changed == 0 { Err(StoreError::not_found(format!("alert rule {}", rule.id))) } else { Ok(()) }
    }

    /// Forgets a rule. What it found and is not over is over then, and nobody is told.
    pub async fn delete_alert_rule(&self, id: AlertRuleId, now: Time) -> Result<()> {
        let mut tx = self.db.begin().await?;
        execute!(
            tx.conn(),
            "UPDATE alerts SET state = 'recovered', recovered = $1 WHERE rule_id = $2 AND state <> 'recovered'",
            now.0,
            id.0,
        )
        .tried("end the alerts of a rule")?;
        let gone = execute!(tx.conn(), "DELETE FROM alert_rules WHERE id = $1", id.0).tried("delete an alert rule")?;
        tx.commit().await?;
        if gone == 0 { Err(StoreError::not_found(format!("alert rule {id}"))) } else { Ok(()) }
    }

    /// Makes a target.
    pub async fn create_alert_target(
        &self,
        owner: Option<UserId>,
        name: &str,
        settings: &serde_json::Value,
        quiet: Option<&QuietHours>,
        now: Time,
    ) -> Result<AlertTarget> {
        let settings = to_json("a target", settings)?;
        let quiet = quiet.map(|quiet| to_json("quiet hours", quiet)).transpose()?;
        let mut tx = self.db.begin().await?;
        let made: sqlx::Result<i64> = on!(tx.conn(), conn => {
            sqlx::query_scalar(
                "INSERT INTO alert_targets (owner, name, settings, quiet, enabled, created)
                 VALUES ($1, $2, $3, $4, TRUE, $5) RETURNING id",
            )
            .bind(owner.map(|owner| owner.0))
            .bind(clean(name))
            .bind(settings)
            .bind(quiet)
            .bind(now.0)
            .fetch_one(conn)
            .await
        });
        let id = made.tried("make an alert target")?;
        tx.commit().await?;
        self.alert_target(AlertTargetId(id)).await
    }

    /// The target.
    pub async fn alert_target(&self, id: AlertTargetId) -> Result<AlertTarget> {
        let sql = Sql::new(TARGETS).with("id = ", id.0);
        let rows = fetch_all!(self.db.read(), TargetRow, sql).tried("read an alert target")?;
        let row = rows.into_iter().next().ok_or_else(|| StoreError::not_found(format!("alert target {id}")))?;
        target_from(row)
    }

    /// Every target.
    pub async fn alert_targets(&self) -> Result<Vec<AlertTarget>> {
        let mut sql = Sql::new(TARGETS).with("0 = ", 0);
        sql.push(" ORDER BY id");
        fetch_all!(self.db.read(), TargetRow, sql).tried("list alert targets")?.into_iter().map(target_from).collect()
    }

    /// Replaces what may change of a target.
    pub async fn set_alert_target(&self, target: &AlertTarget) -> Result<()> {
        let changed = write_one!(
            self.db,
            "change an alert target",
            "UPDATE alert_targets SET name = $1, settings = $2, quiet = $3, enabled = $4 WHERE id = $5",
            clean(&target.name),
            to_json("a target", &target.settings)?,
            target.quiet.as_ref().map(|quiet| to_json("quiet hours", quiet)).transpose()?,
            target.enabled,
            target.id.0,
        );
        if changed == 0 { Err(StoreError::not_found(format!("alert target {}", target.id))) } else { Ok(()) }
    }

    /// Forgets a target and its messages.
    pub async fn delete_alert_target(&self, id: AlertTargetId) -> Result<()> {
        let gone = write_one!(self.db, "delete an alert target", "DELETE FROM alert_targets WHERE id = $1", id.0);
        if gone == 0 { Err(StoreError::not_found(format!("alert target {id}"))) } else { Ok(()) }
    }

    /// Alerts, newest first.
    pub async fn alerts(&self, filter: AlertFilter, page: Page) -> Result<Listed<Alert>> {
        let wanted = Sql::new(" WHERE 0 = ")
            .with("", 0)
            .with_some(" AND a.pool_id = ", filter.pool.map(|pool| pool.0))
            .with_some(" AND a.state = ", filter.state.map(AlertState::as_str));
        let total = count!(self.db.read(), wanted.after("SELECT COUNT(*) FROM alerts a")).tried("count alerts")?;
        let rows = wanted.paged(&["a.id"], Order::Descending, "a.id", page).after(ALERTS);
        let rows = fetch_all!(self.db.read(), AlertRow, rows).tried("list alerts")?;
        Ok(Listed { total, items: rows.into_iter().map(alert_from).collect::<Result<_>>()? })
    }

    /// The alert.
    pub async fn alert(&self, id: AlertId) -> Result<Alert> {
        let rows = fetch_all!(self.db.read(), AlertRow, Sql::new(ALERTS).with("WHERE a.id = ", id.0))
            .tried("read an alert")?;
        let row = rows.into_iter().next().ok_or_else(|| StoreError::not_found(format!("alert {id}")))?;
        alert_from(row)
    }

    /// The alerts of a rule that are not over.
    pub async fn alive_alerts(&self, rule: AlertRuleId) -> Result<Vec<Alert>> {
        let mut sql = Sql::new(ALERTS).with("WHERE a.rule_id = ", rule.0);
        sql.push(" AND a.state <> 'recovered' ORDER BY a.id");
        fetch_all!(self.db.read(), AlertRow, sql).tried("read a rule's alerts")?.into_iter().map(alert_from).collect()
    }

    /// Notes that somebody saw it. `false`: it was seen before.
    pub async fn acknowledge_alert(&self, id: AlertId, by: &str, comment: Option<&str>, now: Time) -> Result<bool> {
        let changed = write_one!(
            self.db,
            "acknowledge an alert",
            "UPDATE alerts SET acknowledged_by = $1, acknowledged = $2, comment = $3
             WHERE id = $4 AND acknowledged IS NULL",
            clean(by),
            now.0,
            comment.map(clean),
            id.0,
        );
        Ok(changed == 1)
    }

    /// Does what was decided about a rule's alerts, and puts one message per kind into each target's outbox, all in one
    /// transaction: what was decided is told, or neither happened. Tells how many alerts changed.
    pub async fn apply_decisions(
        &self,
        rule: &AlertRule,
        pool: &Pool,
        decisions: &[Decision],
        now: Time,
    ) -> Result<u64> {
        let mut tx = self.db.begin().await?;
        let (mut opened, mut recovered, mut changed) = (Vec::new(), Vec::new(), 0);
        for decision in decisions {
            changed += 1;
            match decision {
                Decision::Wait(finding) => drop(insert(&mut tx, rule, finding, AlertState::Pending, now).await?),
                Decision::Open(finding) => opened.extend(insert(&mut tx, rule, finding, AlertState::Open, now).await?),
                Decision::Tell(id, finding) => {
                    let told = execute!(
                        tx.conn(),
                        "UPDATE alerts SET state = 'open', opened = $1, text = $2 WHERE id = $3 AND state = 'pending'",
                        now.0,
                        clean(&finding.text),
                        id.0,
                    );
                    opened.extend((told.tried("open an alert")? == 1).then_some(*id));
                }
                Decision::Reword(id, finding) => {
                    execute!(tx.conn(), "UPDATE alerts SET text = $1 WHERE id = $2", clean(&finding.text), id.0)
                        .tried("reword an alert")?;
                }
                Decision::Recover(id) => {
                    let over = execute!(
                        tx.conn(),
                        "UPDATE alerts SET state = 'recovered', recovered = $1 WHERE id = $2 AND state = 'open'",
                        now.0,
                        id.0,
                    );
                    recovered.extend((over.tried("end an alert")? == 1).then_some(*id));
                }
                Decision::Forget(id) => {
                    execute!(tx.conn(), "DELETE FROM alerts WHERE id = $1 AND state = 'pending'", id.0)
                        .tried("forget an alert")?;
                }
            }
        }
        for (kind, ids) in [(MessageKind::Opened, opened), (MessageKind::Recovered, recovered)] {
            if ids.is_empty() {
                continue;
            }
            let alerts = read_alerts(&mut tx, &ids).await?;
            let message = Message::of(kind, now, &pool.name, &rule.name, &alerts.iter().collect::<Vec<_>>());
            enqueue(&mut tx, &rule.targets, &message, now).await?;
        }
        tx.commit().await?;
        Ok(changed)
    }

    /// Holds a name for a while, so that of several managers one does what it stands for. `false`: another one has it.
    pub async fn hold_lease(&self, name: &str, owner: &str, for_ms: i64) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        let now = tx.now().await?;
        let held = execute!(
            tx.conn(),
            "INSERT INTO leases (name, owner, until) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
             WHERE leases.owner = excluded.owner OR leases.until < $4",
            name,
            owner,
            now.0 + for_ms,
            now.0,
        )
        .tried("hold a lease")?;
        tx.commit().await?;
        Ok(held == 1)
    }
}

/// `None`: another manager made it at the same time.
async fn insert(
    tx: &mut Tx,
    rule: &AlertRule,
    finding: &Finding,
    state: AlertState,
    now: Time,
) -> Result<Option<AlertId>> {
    let id: sqlx::Result<Option<i64>> = on!(tx.conn(), conn => {
        sqlx::query_scalar(
            "INSERT INTO alerts (rule_id, rule_name, pool_id, subject, text, state, since, opened)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (rule_id, subject) WHERE state <> 'recovered' DO NOTHING RETURNING id",
        )
        .bind(rule.id.0)
        .bind(&rule.name)
        .bind(rule.pool.0)
        .bind(clean(&finding.subject))
        .bind(clean(&finding.text))
        .bind(state.as_str())
        .bind(finding.since.0)
        .bind((state == AlertState::Open).then_some(now.0))
        .fetch_optional(conn)
        .await
    });
    Ok(id.tried("make an alert")?.map(AlertId))
}

async fn read_alerts(tx: &mut Tx, ids: &[AlertId]) -> Result<Vec<Alert>> {
    let mut alerts = Vec::with_capacity(ids.len());
    for id in ids {
        let sql = Sql::new(ALERTS).with("WHERE a.id = ", id.0);
        let rows = fetch_all!(tx.conn(), AlertRow, sql).tried("read an alert")?;
        alerts.extend(rows.into_iter().map(alert_from).collect::<Result<Vec<_>>>()?);
    }
    Ok(alerts)
}
