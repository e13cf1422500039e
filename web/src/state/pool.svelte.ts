import { getContext, setContext } from 'svelte';

import * as api from '../api/calls';
import type { PoolSummary } from '../api/types';
import { mergeTask } from './events';
import { onLive } from './live.svelte';
import { whyNotPool } from './may';
import { resource, type Resource } from './resource.svelte';
import { session } from './session.svelte';

/** The pool whose pages are open; kept up to date by events. */
export interface PoolView {
  readonly name: string;
  readonly summary: Resource<PoolSummary>;
  /** Why the person can't change it; nothing when they can. */
  readonly whyNot: string | undefined;
}

const KEY = Symbol('pool');

/** Reads a pool and keeps it for the pages inside the component that calls this. */
export function providePool(name: string): PoolView {
  const summary = resource(() => (signal) => api.poolByName(name, signal));
  onLive((events) => {
    for (const event of events) {
      if (event.type === 'task' && event.task.pool_name === name) {
        const { data } = summary;
        const unfinished = (task: { state: string }) => task.state === 'queued' || task.state === 'running';
        if (data) summary.data = { ...data, tasks: mergeTask(data.tasks, event.task, unfinished) };
        if (!unfinished(event.task)) summary.reload();
      } else if (event.pool === name && event.type !== 'task_hosts') {
        summary.reload();
      }
    }
  });
  return setContext<PoolView>(KEY, {
    name,
    summary,
    get whyNot() {
      return whyNotPool(session.person, summary.data);
    },
  });
}

/** The pool that the page is about. */
export function thePool(): PoolView {
  return getContext<PoolView>(KEY);
}
