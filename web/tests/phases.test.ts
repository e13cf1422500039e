import { describe, expect, it } from 'vitest';

import type { TaskHost } from '../src/api/types';
import { phasesOf } from '../src/tasks/phases';

const host = (outcome: TaskHost['outcome'], step: TaskHost['step']) => ({ outcome, step }) as TaskHost;

describe('the phases of a task', () => {
  it('count who is there, who is past it and who got stuck', () => {
    const hosts = [
      host('ok', 'verify'),
      host('running', 'receive'),
      host('failed', 'connect'),
      host('unreachable', 'connect'),
      host('not_started', null),
    ];
    const phases = phasesOf('install', hosts);
    expect(phases.map((phase) => phase.step)).toEqual([
      'connect',
      'status',
      'receive',
      'configure',
      'activate',
      'start',
      'verify',
    ]);
    expect(phases[0]).toEqual({ step: 'connect', here: 0, past: 2, stuck: 2 });
    expect(phases[2]).toEqual({ step: 'receive', here: 1, past: 1, stuck: 0 });
    expect(phases[6]).toEqual({ step: 'verify', here: 0, past: 1, stuck: 0 });
  });

  it('show an unusual step when a host is at it', () => {
    expect(phasesOf('check', [host('running', 'receive')]).map((phase) => phase.step)).toContain('receive');
    expect(phasesOf('crawl', [])).toEqual([]);
  });
});
