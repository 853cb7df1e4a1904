import { describe, expect, it } from '@jest/globals';
import type { SeenRequest } from '../lab/fault-proxy.ts';
import { strayWrites } from './reigns.ts';

const seen = (at: number, change: Partial<SeenRequest> = {}): SeenRequest => ({
  at,
  verb: 'update',
  resource: 'secrets',
  name: 'app',
  passed: true,
  status: 200,
  ...change,
});
const lease = (at: number, change: Partial<SeenRequest> = {}) => seen(at, { resource: 'leases', ...change });

describe('the search for stray writes', () => {
  it('finds none where each writes in its own term', () => {
    const a = [lease(0, { verb: 'create', status: 201 }), seen(10), lease(2000), seen(12_000)];
    const b = [seen(0, { verb: 'list', resource: 'secrets' }), lease(20_000), seen(20_010)];
    expect(strayWrites({ a, b })).toEqual([]);
  });

  it('finds those after the renew deadline, whatever renewals were refused', () => {
    const a = [lease(0), lease(9000, { status: 503 }), seen(14_501)];
    expect(strayWrites({ a })).toEqual(['a: update secrets app 14501 ms after the last renewal']);
  });

  it('finds those of a leader that was followed, and of a process that never led', () => {
    const a = [lease(0), seen(16_010, { verb: 'create', resource: 'events' })];
    const b = [seen(15_999), lease(16_000)];
    expect(strayWrites({ a, b })).toEqual([
      'b: update secrets app while a leads',
      'a: create events app while b leads',
    ]);
  });

  it('leaves out what never reached the API server', () => {
    expect(strayWrites({ a: [seen(0, { passed: false })] })).toEqual([]);
  });
});
