import { describe, expect, it } from '@jest/globals';
import type { RoleGrant, RoleGrantSpec } from '../../lib/api/role-grant.ts';
import { type ChainRequest, evaluateChain } from '../../lib/credentials/grant-chain.ts';

const TARGET = 'arn:aws:iam::111122223333:role/target';
const ONE = 'arn:aws:iam::444455556666:role/one';
const TWO = 'arn:aws:iam::444455556666:role/two';

const grant = (name: string, role: string, change: Partial<RoleGrantSpec> = {}): RoleGrant => ({
  apiVersion: 'rolevend.dev/v1alpha1',
  kind: 'RoleGrant',
  metadata: { name },
  spec: { namespaces: { names: ['*'] }, roles: [role], ...change },
});
const request = (spec: Partial<ChainRequest['spec']> = {}): ChainRequest => ({
  namespace: 'team-a',
  namespaceLabels: {},
  name: 'reader',
  roleArn: TARGET,
  self: { accountId: '111122223333', partition: 'aws' },
  regions: [{ field: 'spec.region', region: 'eu-west-1' }],
  isHome: () => true,
  spec: { secretType: 'Map', chain: [{ roleArn: ONE }, { roleArn: TWO, sessionTags: { team: 'a' } }], ...spec },
});
const open = [grant('target', TARGET), grant('one', ONE), grant('two', TWO, { tenantTagKeys: ['team'] })];
/** The open grants, with another one for a role. */
const instead = (name: string, change: Partial<RoleGrantSpec>) =>
  open.map((one) => (one.metadata.name === name ? { ...one, spec: { ...one.spec, ...change } } : one));

describe('a chain', () => {
  it('is allowed where every role is, and tells whose grant allows which', () => {
    const terms = { sessionName: 'Derived', sourceIdentity: 'None', tenantTagKeys: [] };
    expect(evaluateChain(open, request())).toEqual({
      allowed: true,
      terms,
      hopTerms: [terms, { ...terms, tenantTagKeys: ['team'] }],
      granted: [
        { roleArn: ONE, grants: ['one'] },
        { roleArn: TWO, grants: ['two'] },
        { roleArn: TARGET, grants: ['target'] },
      ],
    });
  });

  it.each([ONE, TWO, TARGET])('is denied without a grant for %s, which the message names', (role) => {
    const grants = open.filter(({ spec }) => !spec.roles.includes(role));
    expect(evaluateChain(grants, request())).toEqual({
      allowed: false,
      message: expect.stringContaining(`namespace team-a may not use role ${role}: `),
    });
  });

  it('is denied where a hop hands on a tag that a role after it does not allow, and not for tags that stay there', () => {
    const sessionTags = { team: 'a', stage: 'x' };
    const chain = (transitiveTagKeys: string[]) => [
      { roleArn: ONE, sessionTags, transitiveTagKeys },
      { roleArn: TWO, sessionTags: { team: 'b' } },
    ];
    const allowed = instead('one', { tenantTagKeys: ['stage', 'team'] });
    const decide = (keys: string[], grants = allowed) => evaluateChain(grants, request({ chain: chain(keys) }));
    expect([decide([]).allowed, decide(['stage']), decide(['team'])]).toEqual([
      true,
      expect.objectContaining({
        field: 'spec.chain[0].transitiveTagKeys',
        message: expect.stringContaining(
          `transitiveTagKeys of chain[0] may not hand on stage for namespace team-a and role ${TWO}`,
        ),
      }),
      expect.objectContaining({
        field: 'spec.chain[0].transitiveTagKeys',
        message: expect.stringContaining(
          `transitiveTagKeys of chain[0] may not hand on team for namespace team-a and role ${TARGET}`,
        ),
      }),
    ]);
    const everywhere = allowed.map((one) => ({ ...one, spec: { ...one.spec, tenantTagKeys: ['stage', 'team'] } }));
    expect(decide(['stage', 'team'], everywhere).allowed).toBe(true);
  });

  it('is denied for the tags of a hop under the name of that hop, and not for those of another role', () => {
    expect(evaluateChain(instead('two', { tenantTagKeys: ['stage'] }), request())).toMatchObject({
      allowed: false,
      field: 'spec.chain[1].sessionTags',
    });
    const tagged = request({ sessionTags: { stage: 'x' } });
    expect(evaluateChain(open, tagged)).toMatchObject({ allowed: false, field: 'spec.sessionTags' });
    expect(evaluateChain(instead('target', { tenantTagKeys: ['stage'] }), tagged).allowed).toBe(true);
  });

  it('is bound by the Secret types of every grant, and by the names of the last alone', () => {
    const named = request({ sessionName: 'mine' });
    expect(evaluateChain(instead('one', { secretTypes: ['File'] }), request())).toMatchObject({
      field: 'spec.secretType',
      message: expect.stringContaining(ONE),
    });
    expect(evaluateChain(instead('one', { sessionName: 'Any' }), named).allowed).toBe(false);
    expect(evaluateChain(instead('target', { sessionName: 'Any' }), named).allowed).toBe(true);
  });

  it('takes a source identity that the last grant allows, unless that of a hop is derived', () => {
    const jane = request({ sourceIdentity: 'jane' });
    const allowing = instead('target', { sourceIdentity: 'Any' });
    expect(evaluateChain(open, jane)).toMatchObject({ allowed: false, field: 'spec.sourceIdentity' });
    expect(evaluateChain(allowing, jane).allowed).toBe(true);
    const deriving = grant('deriving', ONE, { sourceIdentity: 'Derived' });
    expect(evaluateChain([...allowing, deriving], jane)).toMatchObject({
      allowed: false,
      field: 'spec.sourceIdentity',
      message: expect.stringContaining('in RoleGrant deriving. '),
    });
    const terms = { hopTerms: [{ sourceIdentity: 'Derived' }, { sourceIdentity: 'None' }] };
    expect(evaluateChain([...allowing, deriving], request())).toMatchObject(terms);
  });

  it('that begins with the token of a ServiceAccount needs no grant, but heeds the auth types of each role', () => {
    const auth = { type: 'ServiceAccount', serviceAccountRef: { name: 'app' } } as const;
    expect(evaluateChain([], request({ auth }))).toMatchObject({
      allowed: true,
      granted: [ONE, TWO, TARGET].map((roleArn) => ({ roleArn, grants: [] })),
    });
    expect(evaluateChain([grant('two', TWO, { auth: ['Operator'] })], request({ auth }))).toMatchObject({
      allowed: false,
      field: 'spec.auth.type',
    });
  });

  it('goes through the Region of STS alone, so that the Regions of registries are for the grants of the role', () => {
    const regions = [
      { field: 'spec.region', region: 'eu-west-1' },
      { field: 'spec.ecrRepositoryUrl', region: 'us-east-1' },
    ];
    const asked = { ...request(), regions };
    expect(evaluateChain(instead('one', { regions: ['eu-*-*'] }), asked).allowed).toBe(true);
    expect(evaluateChain(instead('one', { regions: ['us-*-*'] }), asked)).toMatchObject({ field: 'spec.region' });
    expect(evaluateChain(instead('target', { regions: ['eu-*-*'] }), asked)).toMatchObject({
      field: 'spec.ecrRepositoryUrl',
    });
  });
});
