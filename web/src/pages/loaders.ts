import type { Component } from 'svelte';

import type { PoolTab, Route } from '../state/routes';

interface PageLoader {
  /** Two routes with the same key are shown by the same page. */
  key: string;
  load: () => Promise<{ default: Component }>;
}

const TABS: Record<PoolTab, PageLoader['load']> = {
  overview: () => import('./OverviewPage.svelte'),
  nodes: () => import('./NodesPage.svelte'),
  hosts: () => import('./HostsPage.svelte'),
  map: () => import('./MapPage.svelte'),
  stats: () => import('./StatsPage.svelte'),
  tasks: () => import('./PoolTasksPage.svelte'),
  files: () => import('./FilesPage.svelte'),
  connect: () => import('./ConnectPage.svelte'),
  settings: () => import('./PoolSettingsPage.svelte'),
};

/** How to get the page of a route; nothing for pages that are part of the first load. */
export function pageLoader(route: Route): PageLoader | undefined {
  switch (route.page) {
    case 'pool':
      return { key: `pool/${route.tab}`, load: TABS[route.tab] };
    case 'new_pool':
      return { key: 'new_pool', load: () => import('./NewPoolPage.svelte') };
    case 'tasks':
      return { key: 'tasks', load: () => import('./TasksPage.svelte') };
    case 'task':
      return { key: 'task', load: () => import('./TaskPage.svelte') };
    case 'settings':
      return { key: 'settings', load: () => import('./SettingsPage.svelte') };
    default:
      return undefined;
  }
}
