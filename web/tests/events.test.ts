import { describe, expect, it } from 'vitest';

import type { Event, Task, TaskHost } from '../src/api/types';
import { coalesce, mergeHosts, mergeTask, parseEvent } from '../src/state/events';
import { nextFreshness, STALE_AFTER_MS } from '../src/state/freshness';

const host = (id: number, outcome: TaskHost['outcome']) => ({ host: id, outcome }) as TaskHost;
const task = (id: number, state: Task['state'] = 'running') => ({ id, state }) as Task;
let id = 0;
const event = (change: object) => ({ id: ++id, at: '', pool: 'demo', ...change }) as Event;

describe('events that arrive together', () => {
  it('keep only the newest state of each task', () => {
    const merged = coalesce([
      event({ type: 'task', task: task(1) }),
      event({ type: 'task', task: task(2) }),
      event({ type: 'task', task: task(1, 'succeeded') }),
    ]);
    expect(merged.map((e) => e.type === 'task' && [e.task.id, e.task.state])).toEqual([
      [2, 'running'],
      [1, 'succeeded'],
    ]);
  });

  it('join the host changes of one task', () => {
    const merged = coalesce([
      event({ type: 'task_hosts', task: 1, hosts: [host(1, 'running'), host(2, 'running')] }),
      event({ type: 'task_hosts', task: 9, hosts: [host(1, 'ok')] }),
      event({ type: 'task_hosts', task: 1, hosts: [host(1, 'ok'), host(3, 'running')] }),
    ]);
    expect(merged).toHaveLength(2);
    expect(merged[1]).toMatchObject({
      task: 1,
      hosts: [host(1, 'ok'), host(2, 'running'), host(3, 'running')],
    });
  });

  it('are superfluous before a reread', () => {
    const merged = coalesce([
      event({ type: 'crawl', crawl: 1 }),
      event({ type: 'reread' }),
      event({ type: 'pool' }),
    ]);
    expect(merged.map((e) => e.type)).toEqual(['reread', 'pool']);
  });

  it('of different pools are kept apart', () => {
    expect(coalesce([event({ type: 'pool' }), { ...event({ type: 'pool' }), pool: 'other' }])).toHaveLength(
      2,
    );
  });
});

describe('merging', () => {
  it('replaces hosts where they are and adds new ones', () => {
    expect(mergeHosts([host(1, 'running'), host(2, 'running')], [host(2, 'ok'), host(3, 'ok')])).toEqual([
      host(1, 'running'),
      host(2, 'ok'),
      host(3, 'ok'),
    ]);
  });

  it('keeps tasks sorted and drops what no longer belongs', () => {
    const running = (t: Task) => t.state === 'running';
    expect(mergeTask([task(3), task(1)], task(2), running).map((t) => t.id)).toEqual([3, 2, 1]);
    expect(mergeTask([task(3), task(1)], task(3, 'failed'), running).map((t) => t.id)).toEqual([1]);
  });
});

describe('messages', () => {
  it('that are not events of this version are passed over', () => {
    expect(parseEvent('')).toBeUndefined();
    expect(parseEvent('null')).toBeUndefined();
    expect(parseEvent('{"type":"weather"}')).toBeUndefined();
    expect(parseEvent('{"id":1,"type":"pool","pool":"demo"}')).toMatchObject({ type: 'pool' });
  });
});

describe('freshness', () => {
  it('goes stale only after a while without connection', () => {
    const live = nextFreshness({ state: 'connecting' }, 'opened', 0);
    expect(nextFreshness(live, 'tick', 999_999)).toEqual({ state: 'live' });
    const broken = nextFreshness(live, 'broke', 1000);
    expect(nextFreshness(broken, 'tick', 1000 + STALE_AFTER_MS - 1).state).toBe('reconnecting');
    const stale = nextFreshness(broken, 'tick', 1000 + STALE_AFTER_MS);
    expect(stale).toEqual({ state: 'stale', since: 1000 });
    expect(nextFreshness(stale, 'broke', 99_000)).toEqual(stale);
    expect(nextFreshness(stale, 'opened', 99_000)).toEqual({ state: 'live' });
  });
});
