//! Who may do what. Pure: a viewer and a pool in, a claim out.

use p2ppool_model::UserId;
use p2ppool_model::pool::{Pool, Visibility};
use p2ppool_model::role::Role;

/// Somebody who asks: nobody known, or a person with a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// No account.
    Anonymous,
    /// A person, by session or token.
    Person {
        /// Row identity.
        id: UserId,
        /// Their name, as tasks and the audit log show it.
        name: String,
        /// What they may do.
        role: Role,
    },
}

impl Viewer {
    /// The name for tasks and the audit log.
    pub fn name(&self) -> &str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Person { name, .. } => name,
        }
    }

    /// The person's id.
    pub fn id(&self) -> Option<UserId> {
        match self {
            Self::Anonymous => None,
            Self::Person { id, .. } => Some(*id),
        }
    }

    /// They have at least this role.
    pub fn is_at_least(&self, needed: Role) -> bool {
        matches!(self, Self::Person { role, .. } if *role >= needed)
    }

    /// They may look at the pool.
    pub fn may_see(&self, pool: &Pool) -> bool {
        pool.settings.visibility == Visibility::Public || matches!(self, Self::Person { .. })
    }

    /// They may change it and act on its hosts: administrators, and the publisher who owns it.
    pub fn may_change(&self, pool: &Pool) -> bool {
        let owns = self.id().is_some() && self.id() == pool.owner;
        self.is_at_least(Role::Administrator) || (owns && self.is_at_least(Role::Publisher))
    }
}

#[cfg(test)]
mod tests {
    use p2ppool_model::pool::{PoolSettings, PoolState};
    use p2ppool_model::{PoolId, Time};

    use super::*;

    fn person(id: i64, role: Role) -> Viewer {
        Viewer::Person { id: UserId(id), name: "p".into(), role }
    }

    fn pool(visibility: Visibility, owner: i64) -> Pool {
        Pool {
            id: PoolId(1),
            name: "p".parse().unwrap(),
            settings: PoolSettings { visibility, ..PoolSettings::default() },
            state: PoolState::Created,
            bundle: None,
            package: None,
            owner: Some(UserId(owner)),
            created: Time(0),
        }
    }

    #[test]
    fn only_public_pools_are_seen_without_an_account() {
        assert!(Viewer::Anonymous.may_see(&pool(Visibility::Public, 1)));
        assert!(!Viewer::Anonymous.may_see(&pool(Visibility::Private, 1)));
        assert!(person(2, Role::Viewer).may_see(&pool(Visibility::Private, 1)));
    }

    #[test]
    fn owners_and_administrators_change_a_pool() {
        let pool = pool(Visibility::Public, 1);
        assert!(person(1, Role::Publisher).may_change(&pool));
        assert!(!person(2, Role::Publisher).may_change(&pool));
        assert!(!person(1, Role::Viewer).may_change(&pool), "an owner whose role was lowered");
        assert!(person(2, Role::Administrator).may_change(&pool));
        assert!(!Viewer::Anonymous.may_change(&Pool { owner: None, ..pool }));
    }
}
