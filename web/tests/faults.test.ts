import { describe, expect, it } from 'vitest';

import type { TaskHost } from '../src/api/types';
import { emptyFault, faultCount, faultErrors, faultOf } from '../src/dialogs/fault';
import { gatherLogs } from '../src/tasks/logs';

describe('a fault', () => {
  const fault = (changes: Partial<ReturnType<typeof emptyFault>>) => ({ ...emptyFault(), ...changes });

  it('is sent with what was typed, and no more', () => {
    expect(faultOf(fault({ kind: 'kill', share: '3', seed: '7', labels: ' site=lyon, rack=3 ' }))).toEqual({
      kind: 'kill',
      share: 3,
      seed: 7,
      labels: { site: 'lyon', rack: '3' },
    });
    expect(faultOf(fault({ kind: 'resume', share: '' }))).toEqual({ kind: 'resume', labels: {} });
  });

  it.each([
    [{ share: '' }, 'share'],
    [{ share: '0%' }, 'share'],
    [{ share: 'some' }, 'share'],
    [{ labels: 'lyon' }, 'labels'],
    [{ seed: '-1' }, 'seed'],
    [{ seed: '9007199254740993' }, 'seed'],
  ])('is refused with %j', (changes, field) =>
    expect(Object.keys(faultErrors(fault(changes)))).toEqual([field]),
  );

  it('may be of all nodes when labels choose them, or when they come back', () => {
    expect(faultErrors(fault({ share: '', labels: 'site=lyon' }))).toEqual({});
    expect(faultErrors(fault({ kind: 'resume', share: '' }))).toEqual({});
  });

  it('counts its nodes as the manager does: a part is rounded up', () => {
    expect(faultCount(fault({ share: '10%' }), 12)).toBe(2);
    expect(faultCount(fault({ share: '50' }), 12)).toBe(12);
    expect(faultCount(fault({ share: '', kind: 'resume' }), 3)).toBe(3);
    expect(faultCount(fault({ labels: 'site=lyon' }), 12)).toBeUndefined();
  });
});

describe('all logs', () => {
  const host = (id: number) =>
    ({ host: id, address: `h${id}`, outcome: 'failed', step: 'start', message: 'why' }) as TaskHost;
  const hosts = Array.from({ length: 10 }, (_, i) => host(i));

  it('come in the order of the hosts, whoever answers first, a few at a time', async () => {
    let [open, most] = [0, 0];
    const waiting: (() => void)[] = [];
    const read = async (one: TaskHost) => {
      most = Math.max(most, (open += 1));
      // Who asks last is answered first.
      await new Promise<void>((answered) => waiting.unshift(answered));
      open -= 1;
      return `from ${one.host}`;
    };
    const done: number[] = [];
    const gathered = gatherLogs(hosts, read, new AbortController().signal, (n) => done.push(n));
    while (done.length < hosts.length) {
      waiting.shift()?.();
      await Promise.resolve();
    }
    const texts = await gathered;
    expect(texts.map((text) => /from (\d+)/.exec(text)?.[1])).toEqual(hosts.map(({ host }) => String(host)));
    expect(texts[0]).toBe('==== h0 · failed · start · why\nfrom 0\n\n');
    expect(most).toBeLessThanOrEqual(4);
    expect(done.at(-1)).toBe(10);
  });

  it('say in place of a host why it could not be read', async () => {
    const read = (one: TaskHost) =>
      one.host === 1 ? Promise.reject(new Error('gone')) : Promise.resolve('');
    const texts = await gatherLogs(hosts.slice(0, 2), read, new AbortController().signal, () => {});
    expect(texts[0]).toContain('(said nothing)');
    expect(texts[1]).toContain('could not be read: gone');
  });

  it('end when they are cancelled', async () => {
    const abort = new AbortController();
    const read = () => {
      abort.abort();
      return Promise.resolve('');
    };
    await expect(gatherLogs(hosts, read, abort.signal, () => {})).rejects.toThrow();
  });
});
