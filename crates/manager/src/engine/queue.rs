//! Which task of a pool may run, which has to wait, and which must make room. Pure.
//!
//! A request is admitted once, by [`decide`]; from then on it stands in the pool's line, and
//! [`line_up`] tells at any time which waiting tasks may start and what each of the others waits
//! for. Both rest on [`Action::relation_to`]; everything else here is order.

use p2ppool_model::action::Relation;
use p2ppool_model::{Action, TaskId};

/// A task that runs or waits, as far as the decision needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The task.
    pub id: TaskId,
    /// What it does.
    pub action: Action,
    /// What it was asked to do exactly: equal requests have equal texts.
    pub asked: String,
}

/// Somebody wants this done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What.
    pub action: Action,
    /// Exactly what; see [`Entry::asked`].
    pub asked: String,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may start at once.
    Start,
    /// It stands in line; this task is the first in its way.
    WaitFor(TaskId),
    /// A waiting task does exactly this already; no new one is needed.
    Join(TaskId),
    /// These make room: running ones are told to end, waiting ones end unstarted. Then it stands in line.
    Preempt(Vec<TaskId>),
    /// It can't be accepted.
    Refuse(String),
}

/// What becomes of a request, given the pool's running tasks and its waiting ones in order.
pub fn decide(running: &[Entry], queued: &[Entry], request: &Request) -> Decision {
    let others = || running.iter().chain(queued);
    let relation = |other: &&Entry| request.action.relation_to(other.action);

    if let Some(in_the_way) = others().find(|other| relation(other) == Relation::Refuse) {
        return Decision::Refuse(format!(
            "{} can't be asked for while {} #{} is there; wait for its end",
            request.action, in_the_way.action, in_the_way.id
        ));
    }
    if let Some(same) = joinable(queued, request) {
        return Decision::Join(same);
    }
    let make_room: Vec<TaskId> =
        others().filter(|other| relation(other) == Relation::Preempt).map(|other| other.id).collect();
    if !make_room.is_empty() {
        return Decision::Preempt(make_room);
    }
    match first_in_the_way(request.action, others()) {
        Some(id) => Decision::WaitFor(id),
        None => Decision::Start,
    }
}

/// A waiting task and what keeps it from starting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The waiting task.
    pub id: TaskId,
    /// The first task in its way; `None`: it may start now.
    pub waits_for: Option<TaskId>,
}

/// What every waiting task waits for. All that wait for nothing may start together. Nobody
/// overtakes a task that it excludes.
pub fn line_up(running: &[Entry], queued: &[Entry]) -> Vec<Place> {
    let place = |(position, entry): (usize, &Entry)| Place {
        id: entry.id,
        waits_for: first_in_the_way(entry.action, running.iter().chain(&queued[..position])),
    };
    queued.iter().enumerate().map(place).collect()
}

/// Two tasks of one pool may run at the same time.
pub fn beside(a: Action, b: Action) -> bool {
    a.relation_to(b) == Relation::Beside && b.relation_to(a) == Relation::Beside
}

fn first_in_the_way<'a>(action: Action, mut others: impl Iterator<Item = &'a Entry>) -> Option<TaskId> {
    others.find(|other| !beside(action, other.action)).map(|other| other.id)
}

/// The waiting task that does exactly what is asked. One that something excluding stands behind
/// does not count: joining it would let that something have the last word.
fn joinable(queued: &[Entry], request: &Request) -> Option<TaskId> {
    let last_word = queued.iter().rev().find(|other| !beside(request.action, other.action))?;
    (last_word.action == request.action && last_word.asked == request.asked).then_some(last_word.id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(id: i64, action: Action) -> Entry {
        Entry { id: TaskId(id), action, asked: String::new() }
    }

    fn request(action: Action) -> Request {
        Request { action, asked: String::new() }
    }

    #[test]
    fn a_free_pool_starts_anything_at_once() {
        for action in Action::ALL {
            assert_eq!(decide(&[], &[], &request(action)), Decision::Start);
        }
    }

    #[test]
    fn a_second_check_waits_for_the_running_one_and_a_third_joins_the_second() {
        let running = [entry(1, Action::Check)];
        assert_eq!(decide(&running, &[], &request(Action::Check)), Decision::WaitFor(TaskId(1)));
        let queued = [entry(2, Action::Check)];
        assert_eq!(decide(&running, &queued, &request(Action::Check)), Decision::Join(TaskId(2)));
    }

    #[test]
    fn requests_that_differ_are_not_joined() {
        let queued = [entry(2, Action::GatherData)];
        let other = Request { action: Action::GatherData, asked: "*.csv".into() };
        assert_eq!(decide(&[entry(1, Action::Upgrade)], &queued, &other), Decision::WaitFor(TaskId(1)));
    }

    #[test]
    fn a_resume_behind_a_waiting_suspend_does_not_join_the_resume_before_it() {
        let running = [entry(1, Action::Upgrade)];
        let queued = [entry(2, Action::Resume), entry(3, Action::Suspend)];
        assert_eq!(decide(&running, &queued, &request(Action::Resume)), Decision::WaitFor(TaskId(1)));
    }

    #[test]
    fn stop_makes_everything_else_end_and_refuses_what_installs() {
        let running = [entry(1, Action::Crawl), entry(2, Action::Check)];
        let queued = [entry(3, Action::Upgrade)];
        let all = vec![TaskId(1), TaskId(2), TaskId(3)];
        assert_eq!(decide(&running, &queued, &request(Action::Stop)), Decision::Preempt(all));
        let stopping = [entry(4, Action::Stop)];
        assert!(
            matches!(decide(&stopping, &[], &request(Action::Install)), Decision::Refuse(why) if why.contains("stop #4"))
        );
        assert!(matches!(decide(&[], &stopping, &request(Action::Upgrade)), Decision::Refuse(_)));
    }

    #[test]
    fn nobody_overtakes_a_task_it_excludes() {
        let running = [entry(1, Action::Crawl)];
        let queued = [entry(2, Action::Install), entry(3, Action::GatherLogs)];
        let places = line_up(&running, &queued);
        assert_eq!(places[0].waits_for, Some(TaskId(1)));
        assert_eq!(places[1].waits_for, Some(TaskId(2)), "gather logs may run beside the crawl, but install is first");
    }

    /// What a test does to the line.
    #[derive(Clone, Debug)]
    enum Move {
        Ask(Action, u8),
        /// The nth running task ends by itself.
        End(usize),
        /// All running tasks that were told to end do so.
        Yield,
    }

    fn moves() -> impl Strategy<Value = Vec<Move>> {
        let one = prop_oneof![
            4 => (prop::sample::select(Action::ALL.to_vec()), 0u8..2).prop_map(|(action, asked)| Move::Ask(action, asked)),
            2 => (0usize..4).prop_map(Move::End),
            1 => Just(Move::Yield),
        ];
        prop::collection::vec(one, 0..60)
    }

    /// One pool's line, driven as the engine drives it.
    #[derive(Default)]
    struct Line {
        running: Vec<Entry>,
        queued: Vec<Entry>,
        told_to_end: Vec<TaskId>,
        /// Everything that ever started, in order.
        started: Vec<Entry>,
        next: i64,
    }

    impl Line {
        fn apply(&mut self, step: &Move) {
            match step {
                Move::Ask(action, asked) => self.ask(Request { action: *action, asked: asked.to_string() }),
                Move::End(nth) if *nth < self.running.len() => drop(self.running.remove(*nth)),
                Move::End(_) => {}
                Move::Yield => self.running.retain(|entry| !self.told_to_end.contains(&entry.id)),
            }
            self.start_what_may();
        }

        fn ask(&mut self, request: Request) {
            let decision = decide(&self.running, &self.queued, &request);
            match &decision {
                Decision::Refuse(_) => {
                    assert!(matches!(request.action, Action::Install | Action::Upgrade));
                    return;
                }
                Decision::Join(id) => {
                    let same = self.queued.iter().find(|entry| entry.id == *id).expect("only waiting tasks are joined");
                    assert_eq!((same.action, &same.asked), (request.action, &request.asked));
                    return;
                }
                Decision::Preempt(ids) => {
                    self.queued.retain(|entry| !ids.contains(&entry.id));
                    self.told_to_end.extend(ids);
                }
                Decision::Start | Decision::WaitFor(_) => {}
            }
            self.next += 1;
            let Request { action, asked } = request;
            self.queued.push(Entry { id: TaskId(self.next), action, asked });
            let place = line_up(&self.running, &self.queued).pop().expect("it was just added");
            match decision {
                Decision::Start => assert_eq!(place.waits_for, None),
                Decision::WaitFor(id) => assert_eq!(place.waits_for, Some(id)),
                _ => {}
            }
            if action == Action::Stop {
                let unmoved = |entry: &&Entry| entry.action != Action::Stop && !self.told_to_end.contains(&entry.id);
                assert_eq!(self.running.iter().find(unmoved), None, "stop gets everybody else to end");
                assert!(self.queued.iter().all(|entry| entry.action == Action::Stop));
            }
        }

        fn start_what_may(&mut self) {
            for place in line_up(&self.running, &self.queued) {
                if place.waits_for.is_none() {
                    let position = self.queued.iter().position(|entry| entry.id == place.id).expect("it waits");
                    let entry = self.queued.remove(position);
                    self.started.push(entry.clone());
                    self.running.push(entry);
                }
            }
        }

        fn check(&self) {
            for (position, a) in self.running.iter().enumerate() {
                for b in &self.running[position + 1..] {
                    assert!(
                        beside(a.action, b.action),
                        "{} #{} and {} #{} run together",
                        a.action,
                        a.id,
                        b.action,
                        b.id
                    );
                }
            }
            for (position, a) in self.started.iter().enumerate() {
                for b in &self.started[position + 1..] {
                    assert!(a.id < b.id || beside(a.action, b.action), "#{} overtook #{}", a.id, b.id);
                }
            }
            assert!(!self.queued.is_empty() || self.running.len() <= Action::ALL.len());
            if self.running.is_empty() {
                assert!(self.queued.is_empty(), "something waits for nothing");
            }
        }
    }

    proptest! {
        #[test]
        fn excluding_tasks_never_run_together_and_nothing_waits_for_ever(moves in moves()) {
            let mut line = Line::default();
            for step in &moves {
                line.apply(step);
                line.check();
            }
            let waiting = line.queued.len();
            for _ in 0..=waiting + line.running.len() {
                if !line.running.is_empty() {
                    line.apply(&Move::End(0));
                    line.check();
                }
            }
            prop_assert!(line.queued.is_empty() && line.running.is_empty(), "left: {:?}", line.queued);
        }
    }
}
