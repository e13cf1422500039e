import type { StepDef, StepRun, StepState, Workflow } from '../api/flow';
import { duration } from '../format/duration';
import { words } from '../format/words';

/** How a step ended, as its branches tell it apart. */
export type StepOutcome = 'success' | 'partial' | 'failure';
const OUTCOMES: StepOutcome[] = ['success', 'partial', 'failure'];

/** Where a run ends: not steps, but places that branches lead to. */
export const ENDS = ['end', 'fail'] as const;

/** A way from a step to another one, or to an end. */
export interface Edge {
  from: number;
  /** Index of the step; the ends come behind the steps. */
  to: number;
  outcomes: StepOutcome[];
  /** The run went this way. */
  taken: boolean;
}

const ENDED: Partial<Record<StepState, StepOutcome>> = {
  succeeded: 'success',
  partial: 'partial',
  failed: 'failure',
};

/** The ways between steps; several outcomes that lead to one place are one way. */
export function edgesOf(workflow: Workflow, runs: readonly StepRun[] = []): Edge[] {
  const names = [...workflow.steps.map(({ name }) => name), ...ENDS];
  return workflow.steps.flatMap((step, from) => {
    const edges = new Map<number, Edge>();
    for (const outcome of OUTCOMES) {
      // A text that is still wrong may name what isn't there.
      const to = names.indexOf(step.then[outcome]);
      if (to === -1) continue;
      const edge = edges.get(to) ?? { from, to, outcomes: [], taken: false };
      edge.outcomes.push(outcome);
      edge.taken ||= wasTaken(step.name, outcome, names[to] ?? '', runs);
      edges.set(to, edge);
    }
    return [...edges.values()];
  });
}

function wasTaken(name: string, outcome: StepOutcome, target: string, runs: readonly StepRun[]): boolean {
  const run = runs.find((one) => one.name === name);
  if (!run || ENDED[run.state] !== outcome) return false;
  const next = runs.find((one) => one.name === target);
  return (ENDS as readonly string[]).includes(target) || (next?.started_at ?? null) !== null;
}

/** What a step does, as a sentence. */
export function doesOf(step: StepDef): string {
  switch (step.kind) {
    case 'run':
      return `Runs ${words(step.action).toLowerCase()}`;
    case 'wait':
      return `Waits until ${step.conditions.join(' and ')}, for ${duration(step.within_s * 1000)} at most`;
    case 'sleep':
      return `Waits ${duration(step.seconds * 1000)}`;
    case 'approve':
      return `Asks: ${step.question}`;
    case 'notify':
      return `Tells: ${step.message}`;
    case 'fault':
      return faultOf(step.fault);
  }
}

function faultOf(fault: Extract<StepDef, { kind: 'fault' }>['fault']): string {
  const verb = words(fault.kind);
  const labels = Object.entries(fault.labels ?? {}).map(([key, value]) => `${key}=${value}`);
  const share =
    fault.share === null || fault.share === undefined ? '' : ` ${String(fault.share)} of the nodes`;
  const where = labels.length === 0 ? '' : ` where ${labels.join(', ')}`;
  const all = share === '' ? (fault.kind === 'resume' ? ' what is down' : ' the nodes') : share;
  return `${verb}${fault.kind === 'resume' ? 's' : 's'}${all}${where}`;
}

/** Where a step goes on, as a sentence: `success → heal, else fail`. */
export function branchesOf(step: StepDef): string {
  const { success, partial, failure } = step.then;
  if (success === partial && success === failure) return `always → ${success}`;
  if (partial === failure) return `success → ${success}, else → ${failure}`;
  if (partial === success) return `success or partial → ${success}, failure → ${failure}`;
  return `success → ${success}, partial → ${partial}, failure → ${failure}`;
}
