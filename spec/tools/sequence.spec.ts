import { expect, test } from '@jest/globals';
import { Sequence } from './sequence.ts';

test('files that take longest come first, then the larger ones', () => {
  const sizes: Record<string, number> = {
    '/w/spec/a.spec.ts': 1,
    '/w/spec/b.spec.ts': 2,
    '/w/spec/load/load.lab.spec.ts': 1,
    '/w/spec/chart/install.lab.spec.ts': 3,
    '/w/spec/faults/smoke.lab.spec.ts': 1,
  };
  const context = { hasteFS: { getSize: (path: string) => sizes[path] ?? null } };
  const files = Object.keys(sizes).map((path) => ({ path, context }));
  expect(new Sequence().sort(files).map(({ path }) => path)).toEqual([
    '/w/spec/faults/smoke.lab.spec.ts',
    '/w/spec/load/load.lab.spec.ts',
    '/w/spec/chart/install.lab.spec.ts',
    '/w/spec/b.spec.ts',
    '/w/spec/a.spec.ts',
  ]);
});
