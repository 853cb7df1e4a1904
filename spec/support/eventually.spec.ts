import { readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { eventually, HANG_LIMIT_MS } from './eventually.ts';

describe('eventually', () => {
  it('gives what the probe gives once it is truthy, past errors and falsy answers', async () => {
    const answers = [() => undefined, () => Promise.reject(new Error('not yet')), () => 0, () => 'there'];
    expect(await eventually('the answer', () => answers.shift()?.())).toBe('there');
  });

  it('says what it waited for and why the last probe failed', async () => {
    const probe = () => Promise.reject(new Error('connection refused'));
    await expect(eventually('the server', probe, 50)).rejects.toThrow(
      'waited 0.05 s for the server: connection refused',
    );
  });

  it('says what the last probe gave and what it saw', async () => {
    const states = [{ phase: 'New' }, { phase: 'Pending' }];
    const phase = () => states.shift()?.phase ?? 'Failed';
    await expect(eventually('the end', (saw) => saw({ phase: phase() }).phase === 'Ready', 100)).rejects.toThrow(
      'waited 0.1 s for the end: the last probe gave false; last seen: {"phase":"Failed"}',
    );
  });

  it('does not hang with a probe that hangs', async () => {
    const probe = () => new Promise<boolean>(() => {});
    await expect(eventually('an answer', probe, 30)).rejects.toThrow('the last probe gave no answer');
  });

  it('ends before jest ends the test, so that its message is shown', async () => {
    const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
    const { jest } = JSON.parse(text) as { jest: { testTimeout: number } };
    expect(jest.testTimeout).toBeGreaterThan(2 * HANG_LIMIT_MS);
  });
});
