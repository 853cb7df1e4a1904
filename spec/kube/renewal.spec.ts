import { beforeEach, describe, expect, it } from '@jest/globals';
import { RolevendError } from '../../lib/errors.ts';
import { type Expiring, Renewal } from '../../lib/kube/renewal.ts';
import { createLogger } from '../../lib/log.ts';
import { ManualClock } from '../support/clock.ts';

interface Login extends Expiring {
  name: string;
}

describe('a renewed login', () => {
  let clock: ManualClock;
  let fetches: { resolve: (login: Login) => void; reject: (error: unknown) => void }[];
  let lines: Record<string, unknown>[];
  let renewal: Renewal<Login>;

  beforeEach(() => {
    clock = new ManualClock();
    [fetches, lines] = [[], []];
    const log = createLogger({ level: 'debug', destination: { write: (line) => lines.push(JSON.parse(line)) } });
    const fetch = () => new Promise<Login>((resolve, reject) => fetches.push({ resolve, reject }));
    renewal = new Renewal({ fetch, clock, log, name: 'plugin', random: () => 0 });
  });

  const hour = 3_600_000;
  /** Ends the oldest fetch that has not ended with a login of this name and life. */
  const give = async (name: string, lifeMs = hour) => {
    fetches.shift()?.resolve({ name, expiresAt: clock.now() + lifeMs });
    await clock.advance(0);
  };
  const fail = async () => {
    fetches.shift()?.reject(new RolevendError('it hangs', { code: 'ExecPluginFailed', consequence: 'retry' }));
    await clock.advance(0);
  };
  const outcome = (work: Promise<Login>) =>
    work.then(
      ({ name }) => name,
      (error: Error) => error.message,
    );
  const current = () => outcome(renewal.current());
  /** The login is there, with this life. */
  const have = async (name: string, lifeMs = hour) => {
    const asked = current();
    await give(name, lifeMs);
    expect(await asked).toBe(name);
  };

  it('is fetched once for all who wait for the first one', async () => {
    const asked = [current(), current(), current()];
    expect(fetches).toHaveLength(1);
    await give('first');
    expect(await Promise.all(asked)).toEqual(['first', 'first', 'first']);
  });

  it.each([
    ['five minutes ahead of its end', hour, hour - 300_000],
    ['in the last fifth of a short life', 600_000, 480_000],
  ])('is fetched anew %s, while the known one serves', async (_, lifeMs, renewedAfterMs) => {
    await have('first', lifeMs);
    await clock.advance(renewedAfterMs - 1);
    expect([await current(), fetches.length]).toEqual(['first', 0]);
    await clock.advance(1);
    expect([await current(), await current(), fetches.length]).toEqual(['first', 'first', 1]);
    await give('second');
    expect(await current()).toBe('second');
  });

  it('serves until its end while the new one hangs, and only then those who come wait', async () => {
    await have('first');
    await clock.advance(hour - 1);
    expect(await current()).toBe('first');
    await clock.advance(1);
    let isThere = false;
    const asked = current().finally(() => {
      isThere = true;
    });
    await clock.advance(0);
    expect(isThere).toBe(false);
    await give('second');
    expect(await asked).toBe('second');
  });

  it('is tried again after 5 s, then rarer and rarer up to every minute, and after a success from the start; the first failure of a row is told', async () => {
    await have('first', 2 * hour);
    await clock.advance(2 * hour - 300_000);
    const waits: number[] = [];
    let since = 0;
    for (; since < 240_000 && waits.length < 6; since += 1_000) {
      await current();
      if (fetches.length > 0) {
        waits.push(since);
        since = 0;
        await fail();
      }
      await clock.advance(1_000);
    }
    expect(waits).toEqual([0, 5_000, 10_000, 20_000, 40_000, 60_000]);
    await clock.advance(60_000);
    await current();
    await give('second');
    expect(await current()).toBe('second');
    await clock.advance(hour - 300_000);
    await current();
    await fail();
    await clock.advance(5_000);
    expect([await current(), fetches.length]).toEqual(['second', 1]);
    const told = lines
      .filter(({ level }) => level !== 'debug')
      .map(({ level, msg, login, problem }) => ({ level, msg, login, problem }));
    expect(told).toEqual([
      {
        level: 'warn',
        msg: 'login not renewed, the one at hand serves until its end',
        login: 'plugin',
        problem: 'ExecPluginFailed: it hangs',
      },
      { level: 'info', msg: 'login renewed again', login: 'plugin' },
      expect.objectContaining({ level: 'warn' }),
    ]);
  });

  it('that there is none of fails for all alike, without a new try for each', async () => {
    const asked = [current(), current()];
    await fail();
    expect(await Promise.all(asked)).toEqual(['it hangs', 'it hangs']);
    expect([await current(), fetches.length]).toEqual(['it hangs', 0]);
    await clock.advance(5_000);
    await have('first');
  });

  it('that ended before it came serves for some seconds, since it may be our clock that is wrong', async () => {
    await have('late', -hour);
    await clock.advance(4_999);
    expect([await current(), fetches.length]).toEqual(['late', 0]);
    await clock.advance(1);
    await have('later', -hour);
  });

  it('without an end serves until it is refused', async () => {
    const asked = current();
    fetches.shift()?.resolve({ name: 'first' });
    await asked;
    await clock.advance(1_000 * hour);
    expect([await current(), fetches.length]).toEqual(['first', 0]);
    const renewed = Promise.all([renewal.renew(), renewal.renew()]);
    expect(fetches).toHaveLength(1);
    await give('second');
    await renewed;
    expect(await current()).toBe('second');
  });

  it('that was refused is renewed at most every 5 s', async () => {
    await have('first');
    const renewed = renewal.renew();
    await give('second');
    await renewed;
    await renewal.renew();
    expect(fetches).toHaveLength(0);
    await clock.advance(5_000);
    const again = renewal.renew();
    await give('third');
    await again;
    expect(await current()).toBe('third');
  });
});
