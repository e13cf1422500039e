import { describe, expect, it } from 'vitest';

import type { StepRun, Workflow } from '../src/api/flow';
import { branchesOf, doesOf, edgesOf } from '../src/flow/graph';

const at = { line: 1, column: 1 };
const WORKFLOW = {
  description: '',
  steps: [
    {
      name: 'settle',
      at,
      kind: 'wait',
      conditions: ['nodes >= 95%', 'consistency >= 0.99'],
      within_s: 600,
      then: { success: 'hurt', partial: 'fail', failure: 'fail' },
    },
    {
      name: 'hurt',
      at,
      kind: 'fault',
      fault: { kind: 'stop', share: '25%', labels: { site: 'lyon' } },
      then: { success: 'end', partial: 'end', failure: 'fail' },
    },
  ],
} as unknown as Workflow;

const run = (name: string, state: StepRun['state'], started: boolean) =>
  ({ name, state, started_at: started ? '2026-01-01T00:00:00Z' : null }) as StepRun;

describe('the graph of a workflow', () => {
  it('has one way for outcomes that lead to the same place', () => {
    expect(edgesOf(WORKFLOW)).toEqual([
      { from: 0, to: 1, outcomes: ['success'], taken: false },
      { from: 0, to: 3, outcomes: ['partial', 'failure'], taken: false },
      { from: 1, to: 2, outcomes: ['success', 'partial'], taken: false },
      { from: 1, to: 3, outcomes: ['failure'], taken: false },
    ]);
  });

  it('marks the ways that a run went, and only those', () => {
    const taken = (runs: StepRun[]) =>
      edgesOf(WORKFLOW, runs)
        .filter((edge) => edge.taken)
        .map(({ from, to }) => `${from}-${to}`);
    expect(taken([run('settle', 'running', true), run('hurt', 'waiting', false)])).toEqual([]);
    expect(taken([run('settle', 'succeeded', true), run('hurt', 'running', true)])).toEqual(['0-1']);
    expect(taken([run('settle', 'succeeded', true), run('hurt', 'partial', true)])).toEqual(['0-1', '1-2']);
    expect(taken([run('settle', 'failed', true), run('hurt', 'skipped', false)])).toEqual(['0-3']);
  });

  it('says in words what a step does and where it goes on', () => {
    const [settle, hurt] = WORKFLOW.steps;
    expect(doesOf(settle!)).toBe('Waits until nodes >= 95% and consistency >= 0.99, for 10 min at most');
    expect(doesOf(hurt!)).toBe('Stops 25% of the nodes where site=lyon');
    expect(branchesOf(settle!)).toBe('success → hurt, else → fail');
    expect(branchesOf(hurt!)).toBe('success or partial → end, failure → fail');
  });
});
