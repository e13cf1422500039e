import { expect, test } from 'vitest';
import { recentWords } from '../src/stats/recent';

test('the curve of the last crawls is told in words', () => {
  const start = (n: number) => `Nodes answering in the last ${n} crawls: `;
  expect(recentWords([5, 5, 5])).toBe(`${start(3)}always 5`);
  expect(recentWords([1000, 1100, 1203])).toBe(`${start(3)}from 1,000 to 1,203`);
  expect(recentWords([10, 2, 12, 9])).toBe(`${start(4)}from 10 to 9, between 2 and 12`);
});
