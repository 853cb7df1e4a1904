import { describe, expect, it } from '@jest/globals';
import type { Clock } from '../../../lib/clock.ts';
import type { Ownership } from '../../../lib/controllers/aws-assume-role/ownership.ts';
import type { Secret } from '../../../lib/controllers/aws-assume-role/secret.ts';
import { type DesiredSecret, ForeignSecretError, writeSecret } from '../../../lib/controllers/aws-assume-role/write.ts';
import { RolevendError } from '../../../lib/errors.ts';
import type { KubeClient } from '../../../lib/kube/client.ts';
import { KubeError, type KubeErrorDetails } from '../../../lib/kube/errors.ts';
import { type ObjectMeta, type ObjectRef, secrets as resource } from '../../../lib/kube/objects.ts';
import { ManualClock } from '../../support/clock.ts';
import { secretMeta } from './fixtures.ts';

const refused = (status: number, code: string, more: Partial<KubeErrorDetails> = {}) =>
  new KubeError({ verb: 'update', resource, ref: { name: 'creds' } }, { status, code, ...more });
const exists = refused(409, 'AlreadyExists');
const changed = refused(409, 'Conflict');
const replaced = refused(409, 'Conflict', { uidMismatch: true });
const gone = refused(404, 'NotFound');
const down = refused(503, 'ServiceUnavailable');
const unreachable = refused(0, 'Unreachable');
const termOver = new RolevendError('the term is over', { code: 'LeaseLost', consequence: 'retry' });
const invalid = (...fields: string[]) => refused(422, 'Invalid', { fields });

const ours = secretMeta({ resourceVersion: '8' });
const foreign = secretMeta({ annotations: {}, ownerReferences: [] });
type Answer = 'ok' | RolevendError | ObjectMeta;

/** A stub of the client: gives the scripted answers one by one and keeps what it was asked. */
class StubClient {
  readonly calls: string[] = [];
  readonly bodies: Secret[] = [];
  readonly #script: Answer[];

  constructor(script: Answer[]) {
    this.#script = [...script];
  }

  create(_resource: unknown, body: Secret): Promise<Secret> {
    return this.#write('create', body);
  }

  replace(_resource: unknown, body: Secret): Promise<Secret> {
    return this.#write(`replace ${body.metadata.uid}@${body.metadata.resourceVersion}`, body);
  }

  async get(
    _resource: unknown,
    ref: ObjectRef,
    options: { metadataOnly?: boolean },
  ): Promise<{ metadata: ObjectMeta }> {
    const answer = this.#next(`get ${ref.namespace}/${ref.name}${options.metadataOnly ? ' metadata' : ''}`);
    return { metadata: answer === 'ok' ? ours : answer };
  }

  async delete(_resource: unknown, ref: ObjectRef, { uid, resourceVersion }: ObjectMeta): Promise<void> {
    this.#next(`delete ${ref.name} ${uid ?? ''}@${resourceVersion ?? ''}`);
  }

  async #write(call: string, body: Secret): Promise<Secret> {
    this.bodies.push(body);
    this.#next(call);
    return { ...body, metadata: { ...body.metadata, uid: body.metadata.uid ?? 's-new', resourceVersion: '99' } };
  }

  #next(call: string): 'ok' | ObjectMeta {
    const answer = this.#script[this.calls.length] ?? 'ok';
    this.calls.push(call);
    if (answer instanceof RolevendError) throw answer;
    return answer;
  }
}

const desired: DesiredSecret = {
  type: 'Opaque',
  data: { key: 'välue' },
  metadata: (current) => ({ ...current, name: 'creds', namespace: 'team', labels: { ...current?.labels, mine: 'x' } }),
};
const judge = (meta: ObjectMeta): Ownership => {
  if (meta.annotations?.['owner'] === 'other') return { kind: 'conflict', owner: 'other' };
  if (meta.annotations?.['owner'] === 'earlier') return { kind: 'stale' };
  if (meta.annotations?.['owner'] === 'none') return { kind: 'unowned' };
  return meta.ownerReferences?.length ? { kind: 'ours' } : { kind: 'foreign' };
};

interface Outcome {
  calls: string[];
  bodies: Secret[];
  waits: number[];
  result: Secret | RolevendError;
}

/** Writes against the script. Waits pass at once and are told. */
async function write(
  script: Answer[],
  known?: ObjectMeta | 'unread',
  signal = new AbortController().signal,
  adopted?: string,
): Promise<Outcome> {
  const client = new StubClient(script);
  const waits: number[] = [];
  const after: Clock['after'] = (ms, run) => {
    waits.push(ms);
    queueMicrotask(run);
    return () => {};
  };
  const options = {
    client: client as unknown as KubeClient,
    clock: { now: () => 0, monotonic: () => 0, after },
    signal,
  };
  const result = await writeSecret(desired, known, {
    ...options,
    namespace: 'team',
    name: 'creds',
    ownership: judge,
    adopted,
  }).catch((error: unknown) => {
    if (error instanceof KubeError || error instanceof ForeignSecretError) return error;
    if (error instanceof RolevendError && error.code === 'SecretEnding') return error;
    throw error;
  });
  return { calls: client.calls, bodies: client.bodies, waits, result };
}

const read = 'get team/creds metadata';
const known = secretMeta();

describe('the calls that lead to a written Secret', () => {
  it.each<[string, ObjectMeta | 'unread' | undefined, Answer[], string[]]>([
    ['none stands', undefined, [], ['create']],
    ['one stands', known, [], ['replace s-1@7']],
    ['one stands of which not all is known', 'unread', [ours], [read, 'replace s-1@8']],
    ['one stood of which not all is known', 'unread', [gone], [read, 'create']],
    ['it cannot be read at first', 'unread', [down, ours], [read, read, 'replace s-1@8']],
    ['one was made meanwhile, and it is ours', undefined, [exists, ours], ['create', read, 'replace s-1@8']],
    [
      'one was made by an earlier object of this name',
      undefined,
      [exists, secretMeta({ annotations: { owner: 'earlier' } })],
      ['create', read, 'replace s-1@7'],
    ],
    ['it was made and deleted meanwhile', undefined, [exists, gone], ['create', read, 'create']],
    ['it has changed', known, [changed, ours], ['replace s-1@7', read, 'replace s-1@8']],
    [
      'it is another one by now',
      known,
      [replaced, secretMeta({ uid: 's-2' })],
      ['replace s-1@7', read, 'replace s-2@7'],
    ],
    ['it was deleted', known, [gone, gone], ['replace s-1@7', read, 'create']],
    ['it has another type', known, [invalid('type')], ['replace s-1@7', 'delete creds s-1@7', 'create']],
    ['it is immutable', known, [invalid('immutable', 'data')], ['replace s-1@7', 'delete creds s-1@7', 'create']],
    [
      'another type, and it changed before the delete',
      known,
      [invalid('type'), changed, ours],
      ['replace s-1@7', 'delete creds s-1@7', read, 'replace s-1@8'],
    ],
    [
      'another type, and it was deleted before us',
      known,
      [invalid('type'), gone, gone],
      ['replace s-1@7', 'delete creds s-1@7', read, 'create'],
    ],
    [
      'another type, and somebody was quicker after the delete',
      known,
      [invalid('type'), 'ok', exists, ours],
      ['replace s-1@7', 'delete creds s-1@7', 'create', read, 'replace s-1@8'],
    ],
    [
      'another type, and the create got no answer',
      known,
      [invalid('type'), 'ok', unreachable, gone],
      ['replace s-1@7', 'delete creds s-1@7', 'create', read, 'create'],
    ],
    ['the answer to the create was lost', undefined, [unreachable, ours], ['create', read, 'replace s-1@8']],
    ['the API server has trouble', known, [down, ours], ['replace s-1@7', read, 'replace s-1@8']],
    ['it has trouble with the read, too', known, [down, down, ours], ['replace s-1@7', read, read, 'replace s-1@8']],
    ['the term seems over until it is renewed', known, [termOver, ours], ['replace s-1@7', read, 'replace s-1@8']],
    ['it asks for patience', undefined, [refused(429, 'TooManyRequests'), gone], ['create', read, 'create']],
    [
      'a quota is being made',
      undefined,
      [refused(403, 'Forbidden', { causes: ['QuotaExceeded'] }), gone],
      ['create', read, 'create'],
    ],
  ])('where %s', async (_what, current, script, calls) => {
    const outcome = await write(script, current);
    expect(outcome.calls).toEqual(calls);
    expect(outcome.result).toMatchObject({ kind: 'Secret', metadata: { resourceVersion: '99' } });
  });

  it('takes identity and managed fields out of what is made anew', async () => {
    const current = secretMeta({
      creationTimestamp: '2026-01-01T00:00:00Z',
      deletionTimestamp: '2026-01-01T00:00:00Z',
      managedFields: [{ manager: 'x' }],
      labels: { theirs: 'y' },
    });
    const { bodies } = await write([invalid('type')], current);
    const {
      uid: _,
      resourceVersion: __,
      creationTimestamp: ___,
      deletionTimestamp: ____,
      managedFields: _____,
      ...rest
    } = current;
    expect(bodies[0]?.metadata).not.toHaveProperty('managedFields');
    expect(bodies[1]).toEqual({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { ...rest, labels: { theirs: 'y', mine: 'x' } },
      type: 'Opaque',
      data: { key: Buffer.from('välue', 'utf8').toString('base64') },
    });
  });

  it('deletes without preconditions that it does not know', async () => {
    const { calls } = await write([invalid('type')], { name: 'creds' });
    expect(calls).toEqual(['replace undefined@undefined', 'delete creds @', 'create']);
  });
});

describe('the waits', () => {
  it('are none before a repetition that a changed object asks for', async () => {
    const { waits } = await write([changed, ours, replaced, ours, gone, gone, exists, ours]);
    expect(waits).toEqual([]);
  });

  it('double while the API server has trouble, and end after six attempts', async () => {
    const { calls, waits, result } = await write(Array(12).fill(down), known);
    expect(waits).toEqual([250, 500, 1000, 2000, 4000]);
    expect(calls).toEqual(['replace s-1@7', read, read, read, read, read]);
    expect(result).toBe(down);
  });

  it('outlast an API server that is away for seven seconds', async () => {
    const { result } = await write([unreachable, unreachable, unreachable, unreachable, unreachable, ours], known);
    expect(result).toMatchObject({ kind: 'Secret' });
  });

  it('end with the Lease', async () => {
    await expect(write([termOver], known, AbortSignal.abort(termOver))).rejects.toBe(termOver);
  });

  it('end with the signal', async () => {
    const stop = new AbortController();
    stop.abort(new DOMException('ending', 'AbortError'));
    await expect(write([down], known, stop.signal)).rejects.toThrow('ending');
  });

  it('end a conflict without end after six attempts', async () => {
    const { calls, result } = await write(
      Array.from({ length: 12 }, (_, index) => (index % 2 ? ours : changed)),
      known,
    );
    expect([calls.length, result]).toEqual([11, changed]);
  });
});

describe("somebody else's Secret", () => {
  it.each<[string, ObjectMeta, Ownership]>([
    ['a foreign one', foreign, { kind: 'foreign' }],
    ["a living rival's", secretMeta({ annotations: { owner: 'other' } }), { kind: 'conflict', owner: 'other' }],
  ])('is left alone: %s', async (_what, meta, ownership) => {
    const { calls, result } = await write([exists, meta]);
    expect(calls).toEqual(['create', read]);
    expect(result).toBeInstanceOf(ForeignSecretError);
    expect(result).toMatchObject({ ownership, code: 'AdoptionRefused', consequence: 'stop' });
    expect((result as Error).message).toBe('Secret team/creds belongs to somebody else');
  });
});

describe('a Secret without an owner', () => {
  const unowned = secretMeta({ annotations: { owner: 'none' } });
  const adopt = (script: Answer[], adopted?: string) => write(script, unowned, new AbortController().signal, adopted);

  it.each<[string, Answer[], string[]]>([
    ['in place', [], ['replace s-1@7']],
    ['in its newer version', [changed, { ...unowned, resourceVersion: '8' }], ['replace s-1@7', read, 'replace s-1@8']],
    ['made anew where it is immutable', [invalid('data')], ['replace s-1@7', 'delete creds s-1@7', 'create']],
  ])('is written where the pass takes it over: %s', async (_what, script, calls) => {
    const outcome = await adopt(script, 's-1');
    expect([outcome.calls, outcome.result]).toEqual([calls, expect.objectContaining({ kind: 'Secret' })]);
  });

  it.each<[string, string | undefined]>([
    ['another one was looked at', 's-2'],
    ['none is taken over', undefined],
  ])('is left alone where %s', async (_what, adopted) => {
    const { calls, result } = await adopt([changed, unowned], adopted);
    expect([calls, result]).toEqual([['replace s-1@7', read], expect.any(ForeignSecretError)]);
  });
});

describe('a refusal that stays', () => {
  it.each<[string, KubeError]>([
    ['no right', refused(403, 'Forbidden')],
    ['no identity', refused(401, 'Unauthorized')],
    ['the namespace goes away', refused(403, 'Forbidden', { causes: ['NamespaceTerminating'] })],
    ['too large', refused(413, 'RequestEntityTooLarge')],
    ['bad labels', invalid('metadata.labels')],
    ['bad labels and another type', invalid('type', 'metadata.labels')],
    ['an admission policy, which names no field', invalid()],
  ])('is thrown at once and never costs the Secret that stands: %s', async (_what, error) => {
    const outcome = await write([error], known);
    expect([outcome.calls, outcome.waits, outcome.result]).toEqual([['replace s-1@7'], [], error]);
  });

  it('of a Secret that finalizers keep says so, and nothing is deleted, also where they came meanwhile', async () => {
    const kept = secretMeta({ finalizers: ['example.org/keep'] });
    const ending = { code: 'SecretEnding', consequence: 'retry' };
    expect(await write([invalid('type')], kept)).toMatchObject({ calls: ['replace s-1@7'], result: ending });
    const later = secretMeta({ finalizers: ['example.org/keep'], resourceVersion: '8' });
    const { calls, result } = await write([changed, later, invalid('type')], known);
    expect(calls).toEqual(['replace s-1@7', expect.stringMatching(/^get /), 'replace s-1@8']);
    expect(result).toMatchObject(ending);
  });

  it('is thrown from a create, too', async () => {
    const { calls, result } = await write([invalid('type')]);
    expect([calls, (result as KubeError).status]).toEqual([['create'], 422]);
  });

  it('is thrown where it is no answer of the API server at all', async () => {
    const broken: DesiredSecret = {
      ...desired,
      metadata: () => {
        throw new TypeError('broken');
      },
    };
    const client = new StubClient([]);
    const options = {
      client: client as unknown as KubeClient,
      clock: new ManualClock(),
      namespace: 'team',
      name: 'creds',
    };
    const writing = writeSecret(broken, known, { ...options, signal: new AbortController().signal, ownership: judge });
    await expect(writing).rejects.toThrow(TypeError);
    expect(client.calls).toEqual([]);
  });

  it('is thrown from the read', async () => {
    const denied = refused(403, 'Forbidden');
    expect((await write([exists, denied])).result).toBe(denied);
  });
});
