import type { Event, Task, TaskHost } from '../api/types';

/**
 * Merges events that arrived together: of each task only its newest state is kept, host changes of
 * one task become one event with each host's newest state, and what says the same twice is said
 * once. A `reread` makes everything before it superfluous.
 */
export function coalesce(events: readonly Event[]): Event[] {
  const merged = new Map<string, Event>();
  for (const event of events) {
    if (event.type === 'reread') merged.clear();
    const key = keyOf(event);
    const before = merged.get(key);
    merged.delete(key);
    merged.set(key, before ? join(before, event) : event);
  }
  return [...merged.values()];
}

function keyOf(event: Event): string {
  if (event.type === 'task') return `task ${event.task.id}`;
  if (event.type === 'task_hosts') return `task_hosts ${event.task}`;
  if (event.type === 'rollout') return `rollout ${event.rollout.task}`;
  if (event.type === 'workflow_run') return `workflow_run ${event.run}`;
  return `${event.type} ${event.pool ?? ''}`;
}

function join(before: Event, after: Event): Event {
  if (before.type !== 'task_hosts' || after.type !== 'task_hosts') return after;
  return { ...after, hosts: mergeHosts(before.hosts, after.hosts) };
}

/** The hosts of a task with changes applied; unknown hosts are added at the end. */
export function mergeHosts(hosts: readonly TaskHost[], changes: readonly TaskHost[]): TaskHost[] {
  const changed = new Map(changes.map((host) => [host.host, host]));
  const merged = hosts.map((host) => {
    const change = changed.get(host.host);
    changed.delete(host.host);
    return change ?? host;
  });
  return [...merged, ...changed.values()];
}

/** A list of tasks, newest first, with one task's newest state put in; `keep` says which belong there. */
export function mergeTask(tasks: readonly Task[], task: Task, keep: (task: Task) => boolean): Task[] {
  const others = tasks.filter((other) => other.id !== task.id);
  if (!keep(task)) return others;
  return [...others, task].sort((a, b) => b.id - a.id);
}

/** Kinds of events that this version understands. */
export const KNOWN_EVENTS: readonly Event['type'][] = [
  'task',
  'task_hosts',
  'rollout',
  'workflow_run',
  'crawl',
  'pool',
  'alerts',
  'reread',
];

/** The text of one server-sent message as an event; `undefined` for what this version doesn't know. */
export function parseEvent(text: string): Event | undefined {
  try {
    const event = JSON.parse(text) as Event;
    return KNOWN_EVENTS.includes(event?.type) ? event : undefined;
  } catch {
    return undefined;
  }
}
