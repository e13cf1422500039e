import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { typed, TYPING_PAUSE_MS } from '../src/state/typed';

describe('what somebody types', () => {
  const passed: string[] = [];
  const text = typed((text) => passed.push(text));
  beforeEach(() => {
    vi.useFakeTimers();
    passed.length = 0;
  });
  afterEach(() => {
    text.cancel();
    vi.useRealTimers();
  });

  it('is passed on at once, and then when they pause', () => {
    for (const so of ['n', 'no', 'nod', 'node']) {
      text.type(so);
      vi.advanceTimersByTime(TYPING_PAUSE_MS - 1);
    }
    expect(passed).toEqual(['n']);
    vi.advanceTimersByTime(1);
    expect(passed).toEqual(['n', 'node']);
    vi.advanceTimersByTime(10 * TYPING_PAUSE_MS);
    expect(passed).toEqual(['n', 'node']);
    text.type('');
    expect(passed).toEqual(['n', 'node', '']);
  });

  it('is passed on once when the field is left, and forgotten with the page', () => {
    text.type('a');
    text.type('ab');
    text.flush();
    text.flush();
    expect(passed).toEqual(['a', 'ab']);
    text.type('x');
    text.type('xy');
    text.cancel();
    vi.advanceTimersByTime(10 * TYPING_PAUSE_MS);
    expect(passed).toEqual(['a', 'ab', 'x']);
  });
});
