import { describe, expect, it } from 'vitest';

import { adviceFor, ApiError } from '../src/api/error';
import { COMMANDS_SHOWN_MAX, findCommands, poolCommands } from '../src/state/commands';
import { hasRole, whyNotPool, whyNotRole } from '../src/state/may';
import type { Person } from '../src/api/types';

describe('the command palette', () => {
  const commands = [{ text: 'Tasks' }, ...poolCommands(['planet', 'planet2'])];
  const texts = (typed: string) => findCommands(commands, typed).map((command) => command.text);

  it('needs every word, wherever it stands', () => {
    expect(texts('nodes planet2')).toEqual(['planet2 nodes']);
    expect(texts('nothing')).toEqual([]);
  });

  it('puts what begins with the word first, and the shorter before the longer', () => {
    expect(texts('planet')[0]).toBe('planet');
    expect(texts('tasks')[0]).toBe('Tasks');
  });

  it('never offers more than fit', () => {
    expect(texts('')).toHaveLength(COMMANDS_SHOWN_MAX);
  });
});

describe('what a person may', () => {
  const viewer = { id: 1, name: 'v', role: 'viewer' } as Person;

  it('follows the order of the roles, and nobody has none', () => {
    expect(hasRole({ ...viewer, role: 'super_administrator' }, 'administrator')).toBe(true);
    expect(hasRole(viewer, 'publisher')).toBe(false);
    expect(hasRole(undefined, 'viewer')).toBe(false);
  });

  it('is said with the role that is missing', () => {
    expect(whyNotRole(viewer, 'administrator')).toBe('Needs the role administrator; you are a viewer.');
    expect(whyNotRole(viewer, 'viewer')).toBeUndefined();
    expect(whyNotPool(viewer, { may_change: true })).toBeUndefined();
    expect(whyNotPool(viewer, undefined)).toContain('being read');
  });
});

describe('advice', () => {
  it('is given where the error itself gives none', () => {
    const advice = (status: number) => adviceFor(new ApiError('x', status, 'x'));
    expect(advice(0)).toContain('by itself');
    expect(advice(500)).toContain('request id');
    expect(advice(422)).toBeUndefined();
  });
});
