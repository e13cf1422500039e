//! Crawls through a share link: of one that is limited to namespaces, the sums are over their nodes alone.

use std::collections::HashSet;
use std::sync::Arc;

use futures::{Stream, StreamExt as _, stream};
use p2ppool_model::snapshot::{Snapshot, Totals};
use p2ppool_model::table::{NodeTable, Word};
use p2ppool_model::{CrawlId, Time};
use p2ppool_store::StoreError;

use crate::app::App;
use crate::service::Error;
use crate::service::shares::{Opened, SharedCrawl};

/// Crawls in one answer when each has to be read with all its nodes.
const SUMMED_MAX: u32 = 200;

/// What one crawl leaves for the next one: which of the shown nodes answered.
type Before = Option<HashSet<String>>;

impl Opened {
    /// A crawl as the link tells it.
    pub(super) async fn told_crawl(&self, app: &App, crawl: Snapshot) -> Result<SharedCrawl, Error> {
        if self.share.settings.namespaces.is_empty() {
            return Ok(crawl.into());
        }
        let range = self.range(None, None, Some(crawl.id));
        let earlier = app.store.snapshots(self.pool.id, range, 1).await?.pop();
        let before = match earlier {
            Some(earlier) => self.summed(app.store.node_table(earlier.id).await, None).await?.map(|(_, names)| names),
            None => None,
        };
        let summed = self.summed(app.store.node_table(crawl.id).await, before).await?;
        let (totals, _) = summed.ok_or_else(|| Error::not_found("crawl", crawl.id))?;
        Ok(SharedCrawl { totals, ..crawl.into() })
    }

    /// Crawls that it shows, newest first.
    pub async fn crawls(
        &self,
        app: &App,
        from: Option<Time>,
        to: Option<Time>,
        before: Option<CrawlId>,
        limit: u32,
    ) -> Result<Vec<SharedCrawl>, Error> {
        let range = self.range(from, to, before);
        if self.share.settings.namespaces.is_empty() {
            let crawls = app.store.snapshots(self.pool.id, range, limit).await?;
            return Ok(crawls.into_iter().map(SharedCrawl::from).collect());
        }
        // one more, to see who joined and left in the oldest one
        let limit = limit.min(SUMMED_MAX);
        let crawls = app.store.snapshots(self.pool.id, range, limit + 1).await?;
        let spare = crawls.len() > limit as usize;
        let (mut reader, mut known, mut told) = (app.store.table_reader(), None, Vec::new());
        for crawl in crawls.into_iter().rev() {
            let Some((totals, names)) = self.summed(reader.read(&crawl).await, known.take()).await? else { continue };
            known = Some(names);
            told.push(SharedCrawl { totals, ..crawl.into() });
        }
        told.reverse();
        if spare {
            told.truncate(limit as usize);
        }
        Ok(told)
    }

    /// Every crawl that it shows, oldest first. Limited to namespaces, those whose nodes are not kept any more are
    /// left out.
    pub fn all_crawls(
        &self,
        app: &App,
        from: Option<Time>,
        to: Option<Time>,
    ) -> impl Stream<Item = Result<SharedCrawl, StoreError>> + Send + use<> {
        let range = self.range(from, to, None);
        let (store, pool, names) = (&app.store, self.pool.id, Arc::new(self.share.settings.namespaces.clone()));
        if names.is_empty() {
            let crawls = store.stream_snapshots(pool, range.from, range.until);
            return crawls.map(|crawl| crawl.map(SharedCrawl::from)).boxed();
        }
        let tables = store.stream_tables(pool, range.from, range.until).boxed();
        let next = |(mut tables, before, names): (stream::BoxStream<'static, _>, Before, Arc<Vec<String>>)| async move {
            let Some(read) = tables.next().await else { return Ok::<_, StoreError>(None) };
            let (crawl, table): (Snapshot, Arc<NodeTable>) = read?;
            let (totals, answering) = sums(&table, &names, before.as_ref());
            Ok(Some((SharedCrawl { totals, ..crawl.into() }, (tables, Some(answering), names))))
        };
        stream::try_unfold((tables, None, names), next).boxed()
    }

    /// The sums of a table that was read, on a thread for that; `None` when its nodes are not kept any more.
    async fn summed(
        &self,
        table: Result<Arc<NodeTable>, StoreError>,
        before: Before,
    ) -> Result<Option<(Totals, HashSet<String>)>, Error> {
        let table = match table {
            Ok(table) => table,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let names = self.share.settings.namespaces.clone();
        let summed = tokio::task::spawn_blocking(move || sums(&table, &names, before.as_ref())).await;
        summed.map(Some).map_err(Error::internal)
    }
}

/// The sums over the nodes of these namespaces, and which of them answered.
fn sums(table: &NodeTable, namespaces: &[String], before: Option<&HashSet<String>>) -> (Totals, HashSet<String>) {
    let is_shown = |row: &usize| {
        let name = table.word(Word::Namespace, *row);
        name.is_some_and(|name| namespaces.iter().any(|one| one == name))
    };
    let rows: Vec<usize> = (0..table.len()).filter(is_shown).collect();
    (table.totals_of(&rows, before), table.answering_of(&rows))
}
