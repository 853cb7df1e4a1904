import { describe, expect, it } from '@jest/globals';
import type { AWSAssumeRole } from '../../../lib/api/aws-assume-role.ts';
import { annotations } from '../../../lib/api/names.ts';
import { type Inspection, inspectSecret, isUntouched } from '../../../lib/controllers/aws-assume-role/inspect.ts';
import type { Secret } from '../../../lib/controllers/aws-assume-role/secret.ts';
import { sessionAnnotations } from '../../../lib/controllers/aws-assume-role/session-record.ts';
import { objectStore, secretStore } from '../../../lib/controllers/aws-assume-role/watch.ts';
import { specHash } from '../../../lib/credentials/input-hash.ts';
import type { KubeClient } from '../../../lib/kube/client.ts';
import { KubeError } from '../../../lib/kube/errors.ts';
import { secrets as secretResource } from '../../../lib/kube/objects.ts';
import { digest } from '../../../lib/secrets/render.ts';
import { at, HOUR, reference, role, secretMeta, session, T0 } from './fixtures.ts';

const data = { awsAccessKeyId: 'ASIAONE' };
const encoded = { awsAccessKeyId: Buffer.from('ASIAONE').toString('base64') };
const ownerAnnotations = { [annotations.owner]: 'app', [annotations.ownerUid]: 'u-app' };
const written = { ...sessionAnnotations(session(), digest(data)), ...ownerAnnotations };
const secret = (
  meta: Parameters<typeof secretMeta>[0] = {},
  values: Record<string, string> | undefined = encoded,
): Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  type: 'Opaque',
  metadata: secretMeta({ annotations: written, ...meta }),
  data: values,
});
const secretRef = { name: 'creds', uid: 's-1', resourceVersion: '7' };
const known = { secretRef, accessKeyId: 'ASIAONE', issuedAt: at(0), expiresAt: at(HOUR) };

interface Scene {
  object?: AWSAssumeRole;
  others?: AWSAssumeRole[];
  cached?: Secret;
  /** What the stub answers to the first, second, … read. */
  live?: (Secret | KubeError)[];
  /** What it answers to the question for Secrets of this name that have another type. */
  ofOtherType?: Secret[];
  isNew?: boolean;
}

const other = (name: string, ms: number) => role({ metadata: { name, uid: `u-${name}`, creationTimestamp: at(ms) } });
const failure = (status: number, code: string) =>
  new KubeError({ verb: 'get', resource: secretResource, ref: { name: 'creds' } }, { status, code });

/** Inspects with a stub client that gives the scripted answers, and tells the reads: `meta`, `whole` or a selector. */
async function inspect({
  object = role(),
  others = [],
  cached,
  live = [],
  ofOtherType = [],
  isNew = false,
}: Scene): Promise<{ seen: Inspection; reads: string[] }> {
  const reads: string[] = [];
  const get = async (_resource: unknown, _ref: unknown, options: { metadataOnly?: boolean }) => {
    const answer = live[reads.length] ?? failure(404, 'NotFound');
    reads.push(options.metadataOnly ? 'meta' : 'whole');
    if (answer instanceof KubeError) throw answer;
    return answer;
  };
  const list = async (_resource: unknown, options: { fieldSelector: string; metadataOnly: boolean }) => {
    reads.push(options.metadataOnly ? options.fieldSelector : 'whole list');
    return { items: ofOtherType };
  };
  const objects = objectStore();
  objects.replace(undefined, [object, ...others], '9');
  const secrets = secretStore();
  if (cached) secrets.replace(undefined, [cached], '9');
  const client = { get, list } as unknown as KubeClient;
  const { signal } = new AbortController();
  return { seen: await inspectSecret(object, { client, objects, secrets, signal, now: T0, isNew }), reads };
}

describe('our own write', () => {
  it('is known without a request', async () => {
    const { seen, reads } = await inspect({ object: role({ status: known }), cached: secret() });
    expect(reads).toEqual([]);
    expect(seen).toEqual({ state: 'intact', meta: secret().metadata, record: { ...session(), assumed: false } });
  });

  it.each([
    ['version', { resourceVersion: '8' }],
    ['uid', { uid: 's-2' }],
  ])('is read anew with another %s', async (_what, change) => {
    const { seen, reads } = await inspect({
      object: role({ status: known }),
      cached: secret(change),
      live: [secret(change)],
    });
    expect([seen.state, reads]).toEqual(['intact', ['whole']]);
  });
});

describe('a status that names a Secret of somebody else', () => {
  const bare = { annotations: {}, ownerReferences: [] };

  it.each<[string, Parameters<typeof secretMeta>[0], AWSAssumeRole[], string]>([
    ['that another object owns', { ownerReferences: [reference('u-other')] }, [other('other', 0)], 'ConflictingSecret'],
    ['that a user made with our labels', { ...bare, managedFields: [] }, [], 'AdoptionRefused'],
    ['that another tool wrote', { ...bare, managedFields: [{ manager: 'helm' }] }, [], 'AdoptionRefused'],
  ])('takes none %s, also not in the very version that it tells', async (_what, change, others, reason) => {
    const object = role({ status: known });
    const { seen } = await inspect({ object, others, cached: secret(change), live: [secret(change)] });
    expect([seen.state, seen.blocked?.reason]).toEqual(['absent', reason]);
  });

  it('does not keep another object from one that nobody owns', async () => {
    const object = role({ spec: { adoption: 'IfUnowned' } });
    const rival = { ...other('rival', 1000), status: { secretRef } };
    const { seen } = await inspect({ object, others: [rival], live: [secret({ ...bare, managedFields: [] })] });
    expect(seen.state).toBe('unowned');
  });
});

describe('an object that nobody can have worked on', () => {
  it.each<[string, Parameters<typeof role>[0], boolean]>([
    ['was created after this process took the lead', {}, true],
    ['was created in the second in which it did', { metadata: { creationTimestamp: at(0) } }, false],
    ['was created before', { metadata: { creationTimestamp: at(-HOUR) } }, false],
    ['has a time that is none', { metadata: { creationTimestamp: 'x' } }, false],
    ['has a status, as a legacy operator writes it', { status: {} }, false],
    ['may take a Secret over', { spec: { adoption: 'IfUnowned' } }, false],
  ])('is one that %s: %j %s', (_what, change, isNew) => {
    expect(isUntouched(role({ metadata: { creationTimestamp: at(1000) }, ...change }), T0)).toBe(isNew);
  });
});

describe('the Secret of a new object', () => {
  it('is taken for absent without a request where the cache has none of its name', async () => {
    expect(await inspect({ isNew: true, live: [secret()] })).toEqual({
      seen: { state: 'absent', isAssumed: true },
      reads: [],
    });
  });

  it('is judged where the cache has one', async () => {
    const orphan = secret({ annotations: { [annotations.owner]: 'gone', [annotations.ownerUid]: 'u-gone' } });
    const { seen, reads } = await inspect({
      isNew: true,
      cached: { ...orphan, metadata: { ...orphan.metadata, ownerReferences: [] } },
    });
    expect([seen.state, seen.blocked?.reason, reads]).toEqual(['absent', 'AdoptionRefused', []]);
  });

  it('waits for an older object that names it, too', async () => {
    const { seen } = await inspect({ isNew: true, others: [other('elder', -HOUR)] });
    expect([seen.state, seen.blocked?.reason]).toEqual(['absent', 'ConflictingSecret']);
  });
});

describe('a Secret that is ours', () => {
  it.each<[string, Secret, string]>([
    ['intact', secret(), 'intact'],
    ['edited where a value differs', secret({}, { awsAccessKeyId: 'eA==' }), 'edited'],
    ['edited where a key is added', secret({}, { ...encoded, more: '' }), 'edited'],
    ['edited where all data are gone', { ...secret(), data: {} }, 'edited'],
  ])('is %s', async (_what, live, state) => {
    const { seen, reads } = await inspect({ live: [live, live] });
    expect([seen.state, seen.live, reads]).toEqual([state, live, ['meta', 'whole']]);
  });

  it.each([
    ['made anew with another type', specHash(role().spec), 'edited'],
    ['of another type for a former spec', 'former', 'intact'],
  ])('%s is %s', async (_what, specSha256, state) => {
    const annotated = { ...sessionAnnotations(session({ specSha256 }), digest(data)), ...ownerAnnotations };
    const live = { ...secret({ annotations: annotated }), type: 'kubernetes.io/dockerconfigjson' };
    expect((await inspect({ live: [live, live] })).seen.state).toBe(state);
  });

  it('without data at all is read like an empty one', async () => {
    const { data: _, ...live } = secret();
    expect((await inspect({ live: [live, live] })).seen.state).toBe('edited');
  });

  it('from a legacy operator is intact, and its life follows from the status', async () => {
    const live = secret({ annotations: {}, labels: {} });
    const ready = { type: 'Ready', status: 'True', reason: 'r', message: 'm', lastTransitionTime: at(0) } as const;
    const { seen } = await inspect({ object: role({ status: { conditions: [ready] } }), live: [live, live] });
    const record = { issuedAt: T0, expiresAt: T0 + 900_000, assumed: true };
    expect(seen).toEqual({ state: 'intact', meta: live.metadata, live, record });
  });

  it('that vanishes between two reads is absent', async () => {
    const { seen, reads } = await inspect({ live: [secret()] });
    expect([seen, reads]).toEqual([{ state: 'absent' }, ['meta', 'whole']]);
  });

  it('that becomes foreign between two reads is refused without a look at its data', async () => {
    const foreign = secret({ annotations: {}, ownerReferences: [] });
    const { seen } = await inspect({ live: [secret(), foreign] });
    expect([seen.blocked?.reason, seen.live]).toEqual(['AdoptionRefused', undefined]);
  });
});

it('has no session to tell where the annotations are gone from our own Secret', async () => {
  const live = secret({ annotations: ownerAnnotations });
  const { seen } = await inspect({ object: role({ status: { secretRef } }), live: [live, live] });
  expect(seen).toEqual({ state: 'edited', meta: live.metadata, live, record: undefined });
});

describe("somebody else's Secret", () => {
  it('is judged by its metadata alone', async () => {
    const foreign = secret({ annotations: {}, labels: {}, ownerReferences: [] });
    const { seen, reads } = await inspect({ live: [foreign] });
    expect(reads).toEqual(['meta']);
    expect(seen).toEqual({
      state: 'absent',
      meta: foreign.metadata,
      blocked: { reason: 'AdoptionRefused', message: expect.stringContaining('Secret "creds" exists') },
    });
  });

  it('is left to the living object that owns it', async () => {
    const live = secret({ ownerReferences: [reference('u-other')] });
    const { seen } = await inspect({ others: [other('other', 9000)], cached: live });
    expect(seen.blocked).toEqual({
      reason: 'ConflictingSecret',
      message: expect.stringContaining('"other" owns Secret "creds"'),
    });
  });

  it('is taken over where its owner was an earlier object of this name', async () => {
    const annotated = { ...written, [annotations.ownerUid]: 'u-dead' };
    const live = secret({ ownerReferences: [reference('u-dead')], annotations: annotated });
    expect((await inspect({ cached: live })).seen).toEqual({ state: 'stale', meta: live.metadata });
  });
});

describe('a Secret that nobody owns', () => {
  const unowned = secret({ annotations: { theirs: 'kept' }, labels: {}, ownerReferences: [] });
  const adopting = (name = 'app', ms = 0) =>
    role({ metadata: { ...other(name, ms).metadata }, spec: { adoption: 'IfUnowned' } });
  const object = adopting();
  const selector = 'metadata.name=creds,type!=Opaque,type!=kubernetes.io/dockerconfigjson';

  it('is taken over where the object asks for it, judged by its metadata alone', async () => {
    const { seen, reads } = await inspect({ object, live: [unowned] });
    expect({ seen, reads }).toEqual({
      seen: { state: 'unowned', meta: unowned.metadata },
      reads: ['meta', selector],
    });
  });

  it('is left alone where it has a type of which none is taken over', async () => {
    const { seen } = await inspect({ object, live: [unowned], ofOtherType: [unowned] });
    expect(seen).toEqual({
      state: 'absent',
      meta: unowned.metadata,
      blocked: { reason: 'AdoptionRefused', message: expect.stringContaining('only those of type Opaque and') },
    });
  });

  it.each<[string, AWSAssumeRole, string | undefined]>([
    ['goes to the older of two that ask for it', adopting('elder', -1000), 'ConflictingSecret'],
    ['goes past an older one that does not ask for it', other('elder', -1000), undefined],
    ['goes past a younger one', adopting('younger', 1000), undefined],
    [
      'stays with the younger one that wrote it',
      { ...other('younger', 1000), status: { secretRef: { name: 'creds', uid: 's-1', resourceVersion: '7' } } },
      'ConflictingSecret',
    ],
  ])('%s', async (_what, rival, reason) => {
    const { seen } = await inspect({ object, others: [rival], live: [unowned] });
    expect(seen.blocked?.reason).toBe(reason);
  });

  it.each([
    ['an owner of any kind', { ownerReferences: [{ ...reference('u-web'), kind: 'Deployment' }] }],
    ['an annotation that names another', { annotations: { [annotations.owner]: 'gone' } }],
  ])('is another one where it has %s', async (_what, owned) => {
    const { seen, reads } = await inspect({ object, live: [secret({ ...unowned.metadata, ...owned })] });
    expect([seen.blocked?.reason, reads]).toEqual(['AdoptionRefused', ['meta']]);
  });
});

describe('where no Secret stands', () => {
  it.each<[string, AWSAssumeRole[], string | undefined]>([
    ['the only one goes ahead', [], undefined],
    ['the older one goes first', [other('elder', -1000)], 'elder'],
    ['this one goes before a younger', [other('younger', 1000)], undefined],
    ['of the same second, the lower uid goes first', [role({ metadata: { name: 'twin', uid: 'u-a' } })], 'twin'],
    ['of the same second, this uid is the lower', [role({ metadata: { name: 'twin', uid: 'u-z' } })], undefined],
    [
      'one without a time counts as the oldest',
      [role({ metadata: { name: 'old', uid: 'u-old', creationTimestamp: '' } })],
      'old',
    ],
    [
      'an older one that is being deleted does not count',
      [role({ metadata: { ...other('elder', -1000).metadata, deletionTimestamp: at(0) } })],
      undefined,
    ],
    [
      'an older one of another namespace does not count',
      [role({ metadata: { ...other('elder', -1000).metadata, namespace: 'x' } })],
      undefined,
    ],
  ])('%s', async (_what, others, winner) => {
    const { seen } = await inspect({ others });
    expect([seen.state, seen.blocked?.reason]).toEqual(['absent', winner && 'ConflictingSecret']);
    expect(seen.blocked?.message ?? '').toContain(winner ?? '');
  });

  it('works without namespace and time', async () => {
    const object = { ...role(), metadata: { name: 'app', uid: 'u-app' } };
    expect((await inspect({ object })).seen).toEqual({ state: 'absent' });
  });
});

it('passes on what the API server answers otherwise', async () => {
  await expect(inspect({ live: [failure(503, 'ServiceUnavailable')] })).rejects.toMatchObject({ status: 503 });
});
