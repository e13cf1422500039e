//! Each story runs on SQLite and on a real PostgreSQL.

mod builders;
mod hosts;
mod opening;
mod people;
mod pools;
mod snapshots;

/// Makes two tests of each story, one per database.
macro_rules! stories {
    ($($(#[$meta:meta])* $name:ident)*) => {
        mod on_sqlite {
            $(
                $(#[$meta])*
                #[tokio::test]
                async fn $name() {
                    let fresh = p2ppool_store::testing::sqlite().await;
                    super::$name(fresh.store.clone()).await;
                }
            )*
        }
        mod on_postgres {
            $(
                $(#[$meta])*
                #[tokio::test]
                async fn $name() {
                    let fresh = p2ppool_store::testing::postgres().await;
                    super::$name(fresh.store.clone()).await;
                }
            )*
        }
    };
}
pub(crate) use stories;
