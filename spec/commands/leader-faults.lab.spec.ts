import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { annotations } from '../../lib/api/names.ts';
import { parseTime, systemClock } from '../../lib/clock.ts';
import type { Secret } from '../../lib/controllers/aws-assume-role/secret.ts';
import { type ControlPlane, startControlPlane } from '../lab/index.ts';
import { eventually } from '../support/eventually.ts';
import { isTerm, isWrite } from '../support/reigns.ts';
import { openReplicas, type Replica, type Replicas } from './replicas.ts';
import { holdsWhatWasIssued, openWorkshop, type Workshop } from './support.ts';

/** A session of a minute is replaced 18 to 24 s after its issue, so it outlives any change of the leader. */
const LIFE_SECONDS = 60;
const OBJECTS = ['one', 'two', 'three', 'four'];
/** The term of a Lease by default, and a second, since the time of a renewal is the one at which the API server had it. */
const TERM_MS = 15_000 + 1_000;

/** How a change of the leader went. */
interface Change {
  /** Exit code of the former leader. */
  code: number;
  strayWrites: string[];
  doubleSessions: string[];
  /** Objects whose Secret holds no session, a mixture, or one that has ended. */
  badSecrets: string[];
}

const well = { strayWrites: [], doubleSessions: [], badSecrets: [] };

/** All cases wait in real time, so they run side by side, each in a namespace of its own. */
describe('several processes with --leader-elect', () => {
  let shop: Workshop;
  let remote: ControlPlane | undefined;
  const opened: Replicas[] = [];
  const running = new Map<string, Promise<Change>>();
  let opening: Promise<unknown> = Promise.resolve();

  beforeAll(async () => {
    shop = await openWorkshop();
    shop.aws.gateway.sessionSeconds(LIFE_SECONDS);
    running.set('outage', outage());
    running.set('suspended', suspended());
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      for (const count of [2, 3]) running.set(`${signal} of ${count}`, changeOf(count, signal));
    }
    // A case that fails is told by its test.
    await Promise.allSettled(running.values());
  });
  afterAll(async () => {
    await Promise.allSettled(opened.map((replicas) => replicas.close()));
    await remote?.stop();
    await shop?.stop();
  });

  /** Replicas whose leader has just issued a session for each object, and has nothing to do for a while. One team starts at a time. */
  function settled(count: number, plane?: ControlPlane): Promise<Replicas> {
    const settling = opening.then(() => settle(count, plane));
    opening = settling.catch(() => {});
    return settling;
  }

  async function settle(count: number, plane?: ControlPlane): Promise<Replicas> {
    const replicas = await openReplicas(shop, count, plane);
    opened.push(replicas);
    const { site } = replicas;
    await Promise.all(OBJECTS.map((name) => site.apply(name)));
    await Promise.all(OBJECTS.map((name) => site.ready(name)));
    await replicas.leader().process.idle();
    return replicas;
  }

  /** Waits for the next leader's work, with one object more, and until it has replaced every session that was due. */
  async function follow(replicas: Replicas, former: Replica): Promise<Omit<Change, 'code'>> {
    const { site } = replicas;
    await site.apply('late');
    await replicas.successor(former);
    await site.ready('late');
    await eventually('two sessions of each object', () => isReplaced(replicas));
    await replicas.leader().process.idle();
    const secrets = await site.secrets();
    return {
      strayWrites: replicas.strayWrites(),
      doubleSessions: await replicas.doubleSessions(),
      badSecrets: secrets.filter((one) => !isGood(one)).map(({ metadata }) => metadata.name),
    };
  }

  function isGood(secret: Secret): boolean {
    const end = parseTime(secret.metadata.annotations?.[annotations.expiresAt]) ?? 0;
    return holdsWhatWasIssued(secret, shop.aws.gateway) && end > systemClock.now();
  }

  function isReplaced({ site }: Replicas): boolean {
    const sessions = site.sessions();
    return OBJECTS.every((name) => sessions.filter(({ arn }) => arn.endsWith(`.${name}`)).length >= 2);
  }

  async function changeOf(count: number, signal: 'SIGTERM' | 'SIGKILL'): Promise<Change> {
    const replicas = await settled(count);
    const former = replicas.leader();
    // Before there is more to do: it would take that up, too, and lose the session that it has just asked for.
    const code = await former.process.end(signal);
    return { code, ...(await follow(replicas, former)) };
  }

  /** The leader's machine sleeps until another one leads and has done all that was due. Then it wakes up. */
  async function suspended(): Promise<Change> {
    const replicas = await settled(2);
    const former = replicas.leader();
    await former.process.suspend();
    const followed = await follow(replicas, former);
    const before = former.requests.filter(isWrite).length;
    await former.process.resume();
    const code = await former.process.exited;
    await replicas.leader().process.idle();
    expect(former.requests.filter(isWrite).slice(before)).toEqual([]);
    const strayWrites = replicas.strayWrites();
    return { ...followed, code, strayWrites, doubleSessions: await replicas.doubleSessions() };
  }

  /** The API server is away for longer than a term: nobody leads, and the one that ended is started anew as by a kubelet. */
  async function outage(): Promise<Change> {
    remote = await startControlPlane({ name: 'outage' });
    const replicas = await settled(3, remote);
    const former = replicas.leader();
    await remote.stopApiServer();
    const ended = former.process.exited;
    const renewedAt = former.requests.findLast(isTerm)?.at ?? Number.NaN;
    await eventually('the end of the term', (saw) => saw(systemClock.now() - renewedAt) > TERM_MS);
    await remote.startApiServer();
    const [followed] = await Promise.all([follow(replicas, former), replicas.add()]);
    return { code: await ended, ...followed };
  }

  const told = (name: string) => running.get(name) as Promise<Change>;

  test.each([2, 3])('of %i, another one works after SIGTERM of the leader', async (count) => {
    const rest = await told(`SIGTERM of ${count}`);
    expect(rest).toEqual({ ...well, code: 0 });
  });

  test.each([2, 3])('of %i, another one works after SIGKILL of the leader', async (count) => {
    const rest = await told(`SIGKILL of ${count}`);
    expect(rest).toEqual({ ...well, code: 128 + 9 });
  });

  test('follow a leader whose machine sleeps, and that one ends without a write or a session when it wakes', async () => {
    const rest = await told('suspended');
    expect(rest).toEqual({ ...well, code: 1 });
  });

  test('go on after the API server was away for longer than a term', async () => {
    const rest = await told('outage');
    expect(rest).toEqual({ ...well, code: 1 });
  });
});
