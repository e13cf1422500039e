import { describe, expect, it } from 'vitest';

import type { Host, Person, PoolSummary, Task } from '../src/api/types';
import { hostState } from '../src/hosts/columns';
import { emptyForm, formErrors, formOf, settingsOf } from '../src/pools/form';
import { renderHosts } from '../src/pools/hostText';
import { offers } from '../src/state/actions';
import { paceOf, progressOf, retryCount } from '../src/state/progress';
import { shortcutOf } from '../src/state/shortcuts';

const form = { ...emptyForm(), name: 'planet' };

describe('the form of a pool', () => {
  it('is right as it begins, but for the name', () => {
    expect(formErrors(form)).toEqual({});
    expect(Object.keys(formErrors(emptyForm()))).toEqual(['name']);
  });

  it('names every wrong field', () => {
    const wrong = formErrors({
      ...form,
      namespace: 'No!',
      tcp: '70000',
      udp: '0',
      rpc: '',
      install_path: 'relative/path',
      detail_days: '0',
    });
    expect(Object.keys(wrong).sort()).toEqual([
      'detail_days',
      'install_path',
      'namespace',
      'rpc',
      'tcp',
      'udp',
    ]);
    for (const days of ['', '36501', '1.5', 'year', '-1']) {
      expect(formErrors({ ...form, detail_days: days }), days).toHaveProperty('detail_days');
    }
    expect(formErrors({ ...form, detail_days: '36500' })).toEqual({});
    expect(formErrors({ ...form, tcp: '', udp: '' })).toHaveProperty('tcp');
    expect(formErrors({ ...form, rpc: '4650' })).toHaveProperty('rpc');
    expect(formErrors({ ...form, transport: 'local' })).toHaveProperty('install_path');
  });

  it('leaves out what is switched off', () => {
    const settings = settingsOf({
      ...form,
      udp: ' ',
      kad_protocol: '',
      bootstrap: '\n/ip4/192.0.2.1/tcp/1 \n',
    });
    expect(settings).toMatchObject({
      ports: { tcp: 4650, udp: null, rpc: 4651 },
      kad_protocol: null,
      bootstrap: ['/ip4/192.0.2.1/tcp/1'],
      detail_days: 365,
    });
  });

  it('shows a pool as it is', () => {
    const settings = settingsOf({
      ...form,
      udp: '',
      description: 'x',
      kind: 'brunet',
      devices: 'eth0, eth1',
    });
    expect(settings.brunet?.devices).toEqual(['eth0', 'eth1']);
    const pool = { ...settings, name: 'planet' } as PoolSummary;
    expect(settingsOf(formOf(pool))).toEqual(settings);
  });

  it('names what only Brunet refuses', () => {
    const brunet = { ...form, kind: 'brunet' as const, namespace: 'Deployed.Realm:1' };
    expect(formErrors(brunet)).toEqual({});
    expect(formErrors({ ...brunet, kind: 'libp2p' }).namespace).toContain('a-z');
    expect(Object.keys(formErrors({ ...brunet, nodes_per_host: '201', mono_min: 'new' }))).toEqual([
      'mono_min',
      'nodes_per_host',
    ]);
    const security = { enabled: false, secure_edges: true, self_signed_certificates: false };
    expect(formErrors({ ...brunet, security }).security).toContain('security');
  });
});

describe('a host list', () => {
  it('is written as a person would', () => {
    const text = renderHosts([
      { address: 'a.example', port: null, user: null, location: null, labels: {} },
      {
        address: '::1',
        port: 2200,
        user: 'ops',
        location: { latitude: 1.5, longitude: -2 },
        labels: { site: 'x' },
      },
    ]);
    expect(text).toBe('a.example\nops@[::1]:2200 1.5,-2 site=x\n');
  });
});

describe('a host', () => {
  const host = (known: Partial<Host['known']>) => ({ leaving: false, known }) as Host;

  it('of which nothing is known is not called stopped', () => {
    expect(hostState(host({ reachable: null, running: null })).text).toBe('Not looked at');
    expect(hostState(host({ reachable: true, running: null })).text).toBe('Unknown');
    expect(hostState(host({ reachable: false, running: true }))).toMatchObject({
      tone: 'warn',
      text: 'Unreachable',
    });
  });
});

describe('actions', () => {
  const pool = (state: PoolSummary['state'], tasks: Partial<Task>[] = [], total = 3) =>
    ({ state, tasks, may_change: true, hosts: { total, reachable: 0, running: 0 } }) as PoolSummary;
  const admin = { id: 1, name: 'a', role: 'administrator' } as Person;

  it('fit the state of the pool', () => {
    expect(offers(pool('created'), admin).main).toEqual([{ action: 'install', why: undefined }]);
    expect(offers(pool('suspended'), admin).main[0]?.action).toBe('resume');
  });

  it('say why they can not be started', () => {
    expect(offers(pool('created', [], 0), admin).main[0]?.why).toContain('no hosts');
    const crawling = offers(pool('running', [{ id: 7, action: 'crawl' }]), admin);
    expect(crawling.main.find((offer) => offer.action === 'crawl')?.why).toContain('#7');
    const stopping = offers(pool('suspended', [{ id: 9, action: 'stop' }]), admin);
    expect(stopping.more.find((offer) => offer.action === 'upgrade')?.why).toContain('#9');
  });

  it('are all refused, with the reason, to who may only look', () => {
    const shown = { ...pool('running'), may_change: false };
    const viewer = { ...admin, role: 'viewer' } as Person;
    const { main, more } = offers(shown, viewer);
    expect([...main, ...more].every((offer) => offer.why?.includes('you are a viewer'))).toBe(true);
    expect(offers(shown, undefined).main[0]?.why).toContain('Log in');
  });
});

describe('progress', () => {
  it('counts what is done and what a retry would do', () => {
    const counts = { ok: 5, unchanged: 1, unreachable: 2, running: 1, not_started: 3 };
    expect(progressOf(counts)).toEqual({ total: 12, done: 8, running: 1, right: 6 });
    expect(retryCount(counts)).toBe(5);
    expect(progressOf({})).toEqual({ total: 0, done: 0, running: 0, right: 0 });
  });

  it('tells the time left only when enough is done', () => {
    const task = (done: number) =>
      ({
        state: 'running',
        started_at: '2026-01-01T00:00:00Z',
        counts: { ok: done, not_started: 20 - done },
      }) as unknown as Task;
    const now = Date.UTC(2026, 0, 1, 0, 0, 10);
    expect(paceOf(task(1), now)).toBeUndefined();
    expect(paceOf(task(5), now)).toEqual({ rate: 0.5, leftMs: 30_000 });
  });
});

describe('shortcuts', () => {
  it('may be two keys', () => {
    expect(shortcutOf('g', 'p')).toBe('go_pools');
    expect(shortcutOf(undefined, 'p')).toBeUndefined();
    expect(shortcutOf('x', '/')).toBe('filter');
  });
});
