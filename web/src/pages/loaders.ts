import type { Component } from 'svelte';

import type { PageName, PoolPage, Route } from '../state/routes';

interface PageLoader {
  /** Two routes with the same key are shown by the same page. */
  key: string;
  load: Load;
}

type Load = () => Promise<{ default: Component }>;

/** Pages of a pool. */
const POOL: Record<PoolPage, Load> = {
  overview: () => import('./OverviewPage.svelte'),
  nodes: () => import('./NodesPage.svelte'),
  node: () => import('./NodePage.svelte'),
  hosts: () => import('./HostsPage.svelte'),
  deployed: () => import('./DeployedPage.svelte'),
  map: () => import('./MapPage.svelte'),
  ring: () => import('./RingPage.svelte'),
  stats: () => import('./StatsPage.svelte'),
  sessions: () => import('./SessionsPage.svelte'),
  diff: () => import('./DiffPage.svelte'),
  tasks: () => import('./PoolTasksPage.svelte'),
  schedules: () => import('./PoolSchedulesPage.svelte'),
  alerts: () => import('./PoolAlertsPage.svelte'),
  files: () => import('./FilesPage.svelte'),
  connect: () => import('./ConnectPage.svelte'),
  settings: () => import('./PoolSettingsPage.svelte'),
};

/** Pages outside a pool. What is missing here is part of the first load. */
const PAGES: Partial<Record<PageName, Load>> = {
  new_pool: () => import('./NewPoolPage.svelte'),
  tasks: () => import('./TasksPage.svelte'),
  task: () => import('./TaskPage.svelte'),
  schedules: () => import('./SchedulesPage.svelte'),
  workflows: () => import('./WorkflowsPage.svelte'),
  workflow: () => import('./WorkflowPage.svelte'),
  new_workflow: () => import('./NewWorkflowPage.svelte'),
  workflow_runs: () => import('./WorkflowRunsPage.svelte'),
  workflow_run: () => import('./WorkflowRunPage.svelte'),
  alerts: () => import('./AlertsPage.svelte'),
  alert_targets: () => import('./AlertTargetsPage.svelte'),
  users: () => import('./UsersPage.svelte'),
  roles: () => import('./RolesPage.svelte'),
  audit: () => import('./AuditPage.svelte'),
  share: () => import('./SharePage.svelte'),
  settings: () => import('./SettingsPage.svelte'),
};

/** How to get the page of a route; nothing for pages that are part of the first load. */
export function pageLoader(route: Route): PageLoader | undefined {
  if (route.page === 'not_found') return undefined;
  if (route.page === 'pool') return { key: `pool/${route.tab}`, load: POOL[route.tab] };
  const load = PAGES[route.page];
  return load && { key: route.page, load };
}
