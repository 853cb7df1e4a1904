import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { root } from '../docs/pages.ts';
import { type FigureName, figuresFor, fullSizes, isMet, told, toldTarget } from './figures.ts';
import { cellsOf, measuredIn, pageOf } from './page.ts';

const written = await readFile(join(root, 'docs/benchmarks.md'), 'utf8');

test('the page of figures is what the benchmark writes, but for what was measured', () => {
  const { machine, cells } = measuredIn(written);
  expect(written).toBe(pageOf(machine, cells));
});

test('every row of the page holds a figure, in its own unit', () => {
  const { machine, cells } = measuredIn(written);
  expect(machine).toMatch(/^\d+ cores, .+\.$/);
  for (const [name, { unit }] of Object.entries(figuresFor(fullSizes))) {
    expect(cells[name as FigureName].replace(' (missed)', '')).toMatch(new RegExp(`^-?[\\d.,]+${unit && ` ${unit}`}$`));
  }
});

test('a figure is read back from the page as it was written', () => {
  const names = Object.keys(figuresFor(fullSizes)) as FigureName[];
  const values = Object.fromEntries(names.map((name, index) => [name, 1234 + index])) as Record<FigureName, number>;
  const cells = cellsOf(values);
  expect(measuredIn(pageOf('2 cores.', cells))).toEqual({ machine: '2 cores.', cells });
});

test('a target that is missed is told, one that is met is not', () => {
  const { ratio, stsCalls, slowest, cpu, rate } = figuresFor(fullSizes);
  const all = [
    [ratio, 0.799, false],
    [ratio, 0.8, true],
    [stsCalls, 999, false],
    [stsCalls, 1000, true],
    [slowest, 3, false],
    [cpu, 3, true],
    [rate, 1, true],
  ] as const;
  expect(all.map(([{ target }, value]) => isMet(target, value))).toEqual(all.map(([, , met]) => met));
  expect([ratio, stsCalls, slowest, rate].map(toldTarget)).toEqual(['≥ 0.8', 'exactly 1,000', '< 3 s', '']);
  expect([told(ratio, 0.8), told(stsCalls, 1000), told(slowest, 2.04)]).toEqual(['0.80', '1,000', '2.0 s']);
});
