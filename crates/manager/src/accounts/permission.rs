//! Who may do what on a pool. Pure: a viewer and a pool in, a right out.

use std::collections::{BTreeMap, BTreeSet};

use p2ppool_model::pool::{Pool, Visibility};
use p2ppool_model::role::{Grant, Role};
use p2ppool_model::{PoolId, UserId};
use serde::Serialize;
use utoipa::ToSchema;

/// What somebody may do with one pool; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// Sees it: everybody for a public pool.
    See,
    /// Sees what is not for the public, such as what hosts printed: people with an account who may see it.
    Inspect,
    /// Changes it and acts on its hosts.
    Manage,
    /// Deletes it, gives it away, and says who else may see or manage it.
    Own,
}

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
        /// On which pools.
        reach: Reach,
    },
}

/// The pools that a person's rights reach beside what their role and ownership give.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// What they were given on pools of others.
    pub grants: BTreeMap<PoolId, Grant>,
    /// A token may be limited to these pools; `None`: not limited.
    pub only: Option<BTreeSet<PoolId>>,
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

    /// Their token reaches some pools only.
    pub fn is_limited(&self) -> bool {
        matches!(self, Self::Person { reach, .. } if reach.only.is_some())
    }

    /// What they may do with this pool; `None`: not even see it.
    pub fn right_on(&self, pool: &Pool) -> Option<Right> {
        let public = pool.settings.visibility == Visibility::Public;
        let Self::Person { id, role, reach, .. } = self else { return public.then_some(Right::See) };
        let seen = public.then_some(Right::Inspect);
        if reach.only.as_ref().is_some_and(|only| !only.contains(&pool.id)) {
            return seen;
        }
        let own = pool.owner == Some(*id) || *role >= Role::Administrator;
        let given = match reach.grants.get(&pool.id) {
            _ if own => Some(Right::Own),
            Some(Grant::Manage) => Some(Right::Manage),
            Some(Grant::See) => Some(Right::Inspect),
            None => None,
        };
        // Whatever they own or were given: viewers only look.
        let ceiling = if *role >= Role::Publisher { Right::Own } else { Right::Inspect };
        seen.max(given.map(|right| right.min(ceiling)))
    }

    /// They may look at the pool.
    pub fn may_see(&self, pool: &Pool) -> bool {
        self.right_on(pool).is_some()
    }

    /// They may change it and act on its hosts.
    pub fn may_change(&self, pool: &Pool) -> bool {
        self.right_on(pool) >= Some(Right::Manage)
    }
}

#[cfg(test)]
mod tests {
    use p2ppool_model::Time;
    use p2ppool_model::pool::{PoolSettings, PoolState};

    use super::*;

    fn person(id: i64, role: Role) -> Viewer {
        Viewer::Person { id: UserId(id), name: "p".into(), role, reach: Reach::default() }
    }

    fn with(viewer: Viewer, grants: &[(i64, Grant)], only: Option<&[i64]>) -> Viewer {
        let Viewer::Person { id, name, role, .. } = viewer else { return viewer };
        let grants = grants.iter().map(|(pool, grant)| (PoolId(*pool), *grant)).collect();
        let only = only.map(|pools| pools.iter().map(|pool| PoolId(*pool)).collect());
        Viewer::Person { id, name, role, reach: Reach { grants, only } }
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
    fn without_an_account_public_pools_are_seen_and_nothing_else() {
        assert_eq!(Viewer::Anonymous.right_on(&pool(Visibility::Public, 1)), Some(Right::See));
        assert_eq!(Viewer::Anonymous.right_on(&pool(Visibility::Private, 1)), None);
        assert_eq!(Viewer::Anonymous.right_on(&Pool { owner: None, ..pool(Visibility::Private, 1) }), None);
    }

    #[test]
    fn a_private_pool_needs_a_right_on_it() {
        let private = pool(Visibility::Private, 1);
        assert_eq!(person(2, Role::Publisher).right_on(&private), None);
        assert_eq!(person(1, Role::Publisher).right_on(&private), Some(Right::Own));
        assert_eq!(person(2, Role::Administrator).right_on(&private), Some(Right::Own));
        assert_eq!(with(person(2, Role::Viewer), &[(1, Grant::See)], None).right_on(&private), Some(Right::Inspect));
        assert_eq!(
            with(person(2, Role::Publisher), &[(1, Grant::Manage)], None).right_on(&private),
            Some(Right::Manage)
        );
        assert_eq!(with(person(2, Role::Publisher), &[(9, Grant::Manage)], None).right_on(&private), None);
    }

    #[test]
    fn viewers_only_look_whatever_they_own_or_were_given() {
        let private = pool(Visibility::Private, 1);
        assert_eq!(person(1, Role::Viewer).right_on(&private), Some(Right::Inspect));
        assert_eq!(with(person(2, Role::Viewer), &[(1, Grant::Manage)], None).right_on(&private), Some(Right::Inspect));
    }

    #[test]
    fn a_limited_token_reaches_its_pools_and_what_is_public() {
        let admin = with(person(2, Role::SuperAdministrator), &[], Some(&[7]));
        assert_eq!(admin.right_on(&pool(Visibility::Private, 1)), None);
        assert_eq!(admin.right_on(&pool(Visibility::Public, 1)), Some(Right::Inspect));
        let here = with(person(2, Role::SuperAdministrator), &[], Some(&[1]));
        assert_eq!(here.right_on(&pool(Visibility::Private, 1)), Some(Right::Own));
    }
}
