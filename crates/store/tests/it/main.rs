//! Each story runs on SQLite and on a real PostgreSQL.

mod alerts;
mod builders;
mod history;
mod hosts;
mod managers;
mod migrating;
mod opening;
mod people;
mod pools;
mod rollouts;
mod schedules;
mod snapshots;
mod surviving;
mod task_runs;
mod tasks;
mod usage;
mod workflows;

/// Makes tests of these stories: one of each on SQLite, and one that tells them all on PostgreSQL,
/// each on a database of its own. One, because test runners that give each test its own process
/// would otherwise start a server for each.
macro_rules! stories {
    ($($name:ident)*) => {
        mod on_sqlite {
            $(
                #[tokio::test]
                async fn $name() {
                    let fresh = p2ppool_store::testing::sqlite().await;
                    super::$name(fresh.store.clone()).await;
                }
            )*
        }

        #[tokio::test]
        async fn all_on_postgres() {
            $(
                println!("{}", stringify!($name));
                let fresh = p2ppool_store::testing::postgres().await;
                $name(fresh.store.clone()).await;
                fresh.store.close().await;
            )*
        }
    };
}
pub(crate) use stories;
