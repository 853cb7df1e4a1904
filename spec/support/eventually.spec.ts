import { describe, expect, it } from '@jest/globals';
import { eventually } from './eventually.ts';

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

  it('does not hang with a probe that hangs', async () => {
    const probe = () => new Promise<boolean>(() => {});
    await expect(eventually('an answer', probe, 30)).rejects.toThrow('the last probe gave no answer');
  });
});
