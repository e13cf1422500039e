import * as api from '../api/calls';
import type { TaskHost } from '../api/types';
import { mergeHosts } from './events';
import { onLive } from './live.svelte';
import { resource, type Resource } from './resource.svelte';

/** Rows of one request while all hosts of a task are read. */
const CHUNK = 5_000;

/** Every host of a task, kept up to date by events. */
export function taskHosts(task: number): Resource<TaskHost[]> {
  const hosts = resource<TaskHost[]>(() => async (signal) => {
    const all: TaskHost[] = [];
    for (;;) {
      const page = await api.taskHosts(task, { limit: CHUNK, offset: all.length }, signal);
      all.push(...page.items);
      if (page.items.length === 0 || all.length >= page.total) return all;
    }
  });
  onLive((events) => {
    for (const event of events) {
      if (event.type === 'task_hosts' && event.task === task) {
        if (hosts.data && !hosts.loading) hosts.data = mergeHosts(hosts.data, event.hosts);
        else hosts.reload();
      } else if (event.type === 'task' && event.task.id === task && event.task.ended_at) hosts.reload();
    }
  });
  return hosts;
}
