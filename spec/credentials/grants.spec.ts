import { describe, expect, it } from '@jest/globals';
import type { RoleGrant, RoleGrantSpec } from '../../lib/api/role-grant.ts';
import { evaluate, type GrantRequest } from '../../lib/credentials/grants.ts';

const ROLE = 'arn:aws:iam::111122223333:role/team-a/reader';

const grant = (name: string, change: Partial<RoleGrantSpec> = {}): RoleGrant => ({
  apiVersion: 'rolevend.dev/v1alpha1',
  kind: 'RoleGrant',
  metadata: { name },
  spec: { namespaces: { names: ['*'] }, roles: ['arn:self:iam::self:role/*'], ...change },
});

const request = (change: Partial<GrantRequest> = {}): GrantRequest => ({
  namespace: 'team-a',
  namespaceLabels: { tenant: 'true', stage: 'prod' },
  name: 'reader',
  roleArn: ROLE,
  self: { accountId: '111122223333', partition: 'aws' },
  regions: [{ field: 'spec.region', region: 'eu-west-1' }],
  isHome: (region) => region !== 'cn-north-1',
  spec: { secretType: 'Map' },
  ...change,
});

const named = (...names: string[]) => ({ namespaces: { names } });
const selected = (selector: RoleGrantSpec['namespaces']['selector']) => ({ namespaces: { selector } });

describe('who is allowed', () => {
  it('nobody by labels that are not known, whatever the selector says', () => {
    const unknown = request({ namespaceLabels: undefined });
    const open = grant('open', selected({ matchExpressions: [{ key: 'restricted', operator: 'DoesNotExist' }] }));
    expect(evaluate([open], unknown).allowed).toBe(false);
    expect(evaluate([grant('named', named('team-a'))], unknown).allowed).toBe(true);
  });

  it('everybody in the account by the default grant, with derived session names', () => {
    expect(evaluate([grant('default')], request())).toEqual({
      allowed: true,
      terms: { sessionName: 'Derived', sourceIdentity: 'None', tenantTagKeys: [] },
      grants: ['default'],
    });
  });

  it.each<[string, Partial<RoleGrantSpec>, boolean]>([
    ['its name', named('team-a'), true],
    ['a glob of its name', named('team-b', 'team-*'), true],
    ['a glob in the middle', named('t*-a'), true],
    ['another name', named('team'), false],
    ['a longer name', named('team-ab'), false],
    ['its label', selected({ matchLabels: { tenant: 'true' } }), true],
    ['one label that it has and one that it lacks', selected({ matchLabels: { tenant: 'true', x: 'y' } }), false],
    ['a label with another value', selected({ matchLabels: { tenant: 'false' } }), false],
    [
      'In with its value',
      selected({ matchExpressions: [{ key: 'stage', operator: 'In', values: ['dev', 'prod'] }] }),
      true,
    ],
    [
      'In without its value',
      selected({ matchExpressions: [{ key: 'stage', operator: 'In', values: ['dev'] }] }),
      false,
    ],
    ['In on a label it lacks', selected({ matchExpressions: [{ key: 'x', operator: 'In', values: ['dev'] }] }), false],
    [
      'NotIn with its value',
      selected({ matchExpressions: [{ key: 'stage', operator: 'NotIn', values: ['prod'] }] }),
      false,
    ],
    [
      'NotIn on a label it lacks',
      selected({ matchExpressions: [{ key: 'x', operator: 'NotIn', values: ['a'] }] }),
      true,
    ],
    ['NotIn without values', selected({ matchExpressions: [{ key: 'stage', operator: 'NotIn' }] }), false],
    ['Exists', selected({ matchExpressions: [{ key: 'tenant', operator: 'Exists' }] }), true],
    [
      'Exists on what every object inherits',
      selected({ matchExpressions: [{ key: 'constructor', operator: 'Exists' }] }),
      false,
    ],
    ['DoesNotExist', selected({ matchExpressions: [{ key: 'tenant', operator: 'DoesNotExist' }] }), false],
    [
      'an operator of a later version',
      selected({ matchExpressions: [{ key: 'tenant', operator: 'Like' as 'In' }] }),
      false,
    ],
    ['an empty selector', selected({}), false],
    ['neither names nor selector', { namespaces: {} }, false],
    ['names and selector', { namespaces: { names: ['*'], selector: { matchLabels: { tenant: 'true' } } } }, false],
    ['another role', { roles: ['arn:self:iam::self:role/team-b/*'] }, false],
    ['one of several roles', { roles: ['arn:self:iam::self:role/x', 'arn:self:iam::self:role/${namespace}/*'] }, true],
  ])('a namespace chosen by %s: %j → %s', (_, spec, allowed) => {
    expect(evaluate([grant('g', spec)], request()).allowed).toBe(allowed);
  });

  it('nobody by a grant that is being deleted', () => {
    const going = grant('g');
    going.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
    expect(evaluate([going], request()).allowed).toBe(false);
  });
});

describe('terms of several grants', () => {
  const allowed = (...grants: RoleGrant[]) => evaluate(grants, request());

  it('are combined over those that match and set the field', () => {
    expect(
      allowed(
        grant('b', { maxDurationSeconds: 7200, secretTypes: ['Map', 'File'] }),
        grant('a', { maxDurationSeconds: 3600 }),
        grant('c', { secretTypes: ['Map', 'EcrDockerConfigJson'], sessionName: 'Any' }),
        grant('other', { ...named('team-b'), maxDurationSeconds: 900 }),
      ),
    ).toEqual({
      allowed: true,
      terms: {
        maxDurationSeconds: 3600,
        secretTypes: ['Map'],
        sessionName: 'Any',
        sourceIdentity: 'None',
        tenantTagKeys: [],
      },
      grants: ['a', 'b', 'c'],
    });
  });

  it.each([
    [['None', 'Any'], 'Any'],
    [['Any', 'Derived', 'None'], 'Derived'],
    [['None'], 'None'],
    [[], 'None'],
  ] as const)('make of the source identities %j together %s', (values, sourceIdentity) => {
    const grants = values.map((value) => grant(`g-${value}`, { sourceIdentity: value }));
    expect(allowed(grant('silent'), ...grants)).toMatchObject({ terms: { sourceIdentity } });
  });

  it.each([
    [
      [
        ['team', 'cost'],
        ['cost', 'stage'],
      ],
      ['cost'],
    ],
    [[['b', 'a']], ['a', 'b']],
    [[['team'], []], []],
    [[], []],
  ])('make of the tag keys %j together %j', (lists, tenantTagKeys) => {
    const grants = lists.map((keys, index) => grant(`g-${index}`, { tenantTagKeys: keys }));
    expect(allowed(grant('silent'), ...grants)).toMatchObject({ terms: { tenantTagKeys } });
  });

  it('let Derived win over Any', () => {
    const decision = allowed(grant('a', { sessionName: 'Any' }), grant('b', { sessionName: 'Derived' }), grant('c'));
    expect(decision).toMatchObject({ terms: { sessionName: 'Derived' } });
  });
});

describe('what is denied', () => {
  it('names namespace, role and both commands when there is no grant', () => {
    expect(evaluate([], request())).toEqual({
      allowed: false,
      message:
        `namespace team-a may not use role ${ROLE}: there is no RoleGrant at all. Show the grants: kubectl get rolegrants. ` +
        'An administrator adds one with: echo \'{"apiVersion":"rolevend.dev/v1alpha1","kind":"RoleGrant","metadata":{"name":"team-a"},' +
        `"spec":{"namespaces":{"names":["team-a"]},"roles":["${ROLE}"]}}' | kubectl create -f -`,
    });
  });

  it('proposes a grant under a free name, and that grant allows the request', () => {
    const grants = [grant('team-a', named('x')), grant('team-a-2', named('x'))];
    const decision = evaluate(grants, request());
    const text = decision.allowed ? '' : decision.message;
    const proposed = JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1)) as RoleGrant;
    expect(proposed.metadata.name).toBe('team-a-3');
    expect(evaluate([...grants, proposed], request()).allowed).toBe(true);
    expect(evaluate([proposed], request({ roleArn: `${ROLE}2` })).allowed).toBe(false);
  });

  it('keeps a quote in a malformed ARN inside the quotes of the command', () => {
    const decision = evaluate([], request({ roleArn: "x'; rm -rf /; '" }));
    expect(decision).toMatchObject({ message: expect.stringContaining(`["x'\\''; rm -rf /; '\\''"]`) });
  });

  it('names the field and the grants when the Secret type is not allowed', () => {
    const grants = [
      grant('b', { secretTypes: ['Map'] }),
      grant('a', { secretTypes: ['Map', 'EcrDockerConfigJson'] }),
      grant('c'),
    ];
    expect(evaluate(grants, request({ spec: { secretType: 'File' } }))).toEqual({
      allowed: false,
      field: 'spec.secretType',
      message:
        `secretType File is not allowed for namespace team-a and role ${ROLE}: use one of: Map; or widen spec.secretTypes in RoleGrant a b. ` +
        'Show the terms: kubectl get rolegrants a b -o yaml',
    });
  });

  it('says so when the grants have no Secret type in common', () => {
    const grants = [grant('a', { secretTypes: ['Map'] }), grant('b', { secretTypes: ['File'] })];
    expect(evaluate(grants, request())).toMatchObject({
      message: expect.stringContaining('no type that all of them allow'),
    });
  });

  it('never drops a session name in silence', () => {
    const spec = { secretType: 'Map', sessionName: 'audit' } as const;
    expect(evaluate([grant('default')], request({ spec }))).toEqual({
      allowed: false,
      field: 'spec.sessionName',
      message:
        `sessionName may not be set, the operator derives it for namespace team-a and role ${ROLE}: ` +
        'remove sessionName, or set spec.sessionName: Any in RoleGrant default. Show the terms: kubectl get rolegrants default -o yaml',
    });
    expect(evaluate([grant('default'), grant('named', { sessionName: 'Any' })], request({ spec })).allowed).toBe(true);
  });

  it.each<[string, Partial<RoleGrantSpec>[], string]>([
    [
      'no grant allows it',
      [{}],
      'sourceIdentity may not be set for namespace team-a and role R: remove sourceIdentity, or set spec.sourceIdentity: Any in RoleGrant g0. ',
    ],
    [
      'one derives it',
      [{ sourceIdentity: 'Any' }, { sourceIdentity: 'Derived' }],
      'sourceIdentity may not be set, the operator derives it for namespace team-a and role R: remove sourceIdentity, or set spec.sourceIdentity: Any in RoleGrant g1. ',
    ],
  ])('never changes a source identity in silence where %s', (_which, specs, says) => {
    const grants = specs.map((one, index) => grant(`g${index}`, one));
    const spec = { secretType: 'Map', sourceIdentity: 'jane' } as const;
    const decision = evaluate(grants, request({ spec }));
    expect(decision).toEqual({ allowed: false, field: 'spec.sourceIdentity', message: expect.any(String) });
    expect(decision).toMatchObject({ message: expect.stringContaining(says.replace('role R', `role ${ROLE}`)) });
    expect(evaluate([grant('any', { sourceIdentity: 'Any' })], request({ spec })).allowed).toBe(true);
  });

  it.each<[string, Partial<RoleGrantSpec>[], string]>([
    ['no grant names a key', [{}], 'sessionTags may not set stage, team'],
    [
      'one grant leaves a key out',
      [{ tenantTagKeys: ['team', 'stage'] }, { tenantTagKeys: ['team'] }],
      'not set stage ',
    ],
    ['a key is written otherwise', [{ tenantTagKeys: ['Team', 'stage'] }], 'may not set team '],
  ])('names the session tags where %s', (_which, specs, says) => {
    const grants = specs.map((one, index) => grant(`g${index}`, one));
    const spec = { secretType: 'Map', sessionTags: { team: 'a', stage: 'b' } } as const;
    const decision = evaluate(grants, request({ spec }));
    expect(decision).toEqual({ allowed: false, field: 'spec.sessionTags', message: expect.stringContaining(says) });
    const last = `or add the key to spec.tenantTagKeys in RoleGrant g${specs.length - 1}. `;
    expect(decision).toMatchObject({ message: expect.stringContaining(last) });
    const open = grant('open', { tenantTagKeys: ['stage', 'team', 'more'] });
    expect(evaluate([open], request({ spec })).allowed).toBe(true);
  });

  const operated = { secretType: 'Map' } as const;
  const ofAccount = {
    ...operated,
    sessionName: 'audit',
    auth: { type: 'ServiceAccount', serviceAccountRef: { name: 'app' } },
  } as const;
  const terms = { sessionName: 'Derived', sourceIdentity: 'None', tenantTagKeys: [] };

  it('is not the token of a ServiceAccount, which no grant has to allow and whose terms none sets', () => {
    for (const grants of [[], [grant('other', named('x'))], [grant('limits', { secretTypes: ['File'] })]]) {
      expect(evaluate(grants, request({ spec: ofAccount }))).toEqual({ allowed: true, terms, grants: [] });
    }
    expect(evaluate([], request({ spec: operated })).allowed).toBe(false);
  });

  it.each([
    ['ServiceAccount', ofAccount, ['Operator']],
    ['Operator', operated, ['ServiceAccount']],
    ['Operator', { ...operated, auth: { type: 'Operator' } }, ['ServiceAccount']],
  ] as const)('is auth.type %s where a matching grant leaves it out', (type, spec, auth) => {
    const grants = [grant('a', { auth: ['Operator', 'ServiceAccount'] }), grant('b', { auth: [...auth] }), grant('c')];
    expect(evaluate(grants, request({ spec }))).toEqual({
      allowed: false,
      field: 'spec.auth.type',
      message:
        `auth.type ${type} is not allowed for namespace team-a and role ${ROLE}: use one of: ${auth[0]}; or widen spec.auth in RoleGrant a b. ` +
        'Show the terms: kubectl get rolegrants a b -o yaml',
    });
    expect(evaluate([grant('b', { ...named('x'), auth: [...auth] }), grant('c')], request({ spec })).allowed).toBe(
      true,
    );
  });

  const pull = { field: 'spec.ecr.registries[0].region', region: 'cn-north-1' };
  const regions = [...request().regions, pull];

  it.each<[string, Partial<RoleGrantSpec>[], boolean]>([
    ['no grant lists any', [{}], false],
    ['a grant has it', [{}, { regions: ['eu-west-1', 'cn-*-*'] }], true],
    ['a grant leaves it out', [{ regions: ['*-*-*'] }, { regions: ['eu-*-*'] }], false],
    ['all that list some have it', [{ regions: ['*-*-*'] }, { regions: ['eu-west-*', 'cn-north-1'] }, {}], true],
  ])('is a Region outside of the partition, unless grants list it: %s', (_which, specs, allowed) => {
    const grants = specs.map((one, index) => grant(`g${index}`, one));
    expect(evaluate(grants, request({ regions }))).toMatchObject(
      allowed ? { allowed } : { allowed, field: pull.field },
    );
  });

  it('names the field of a Region, what is accepted, and the grants that leave it out', () => {
    const about = `is not allowed for namespace team-a and role ${ROLE}:`;
    expect(evaluate([grant('default')], request({ regions }))).toEqual({
      allowed: false,
      field: pull.field,
      message: `Region cn-north-1 (of ${pull.field}) ${about} name one of the partition of the operator's Region; or add it to spec.regions in RoleGrant default. Show the terms: kubectl get rolegrants default -o yaml`,
    });
    const grants = [grant('a', { regions: ['*-*-*'] }), grant('b', { regions: ['eu-*-*', 'us-east-1'] }), grant('c')];
    expect(evaluate(grants, request({ regions }))).toMatchObject({
      message: `Region cn-north-1 (of ${pull.field}) ${about} name one that fits *-*-*, and eu-*-* or us-east-1; or add it to spec.regions in RoleGrant b. Show the terms: kubectl get rolegrants b -o yaml`,
    });
    const own = [{ field: 'spec.region', region: 'eu-west-1', isDefault: true }];
    expect(evaluate([grant('us', { regions: ['us-*-*'] })], request({ regions: own }))).toMatchObject({
      field: 'spec.region',
      message: expect.stringContaining("Region eu-west-1 (the operator's own, since spec.region is not set)"),
    });
  });

  it('is a Region outside for a ServiceAccount, too, which needs a grant for that alone', () => {
    const asked = request({ spec: ofAccount, regions });
    expect(evaluate([], asked)).toEqual({
      allowed: false,
      field: pull.field,
      message: expect.stringContaining(
        "name one of the partition of the operator's Region; or add it to spec.regions in a RoleGrant for both, which an administrator makes. Show the grants: kubectl get rolegrants",
      ),
    });
    expect(evaluate([grant('cn', { regions: ['eu-west-1', 'cn-*-*'] })], asked).allowed).toBe(true);
    expect(evaluate([grant('eu', { regions: ['eu-*-*'] })], asked).allowed).toBe(false);
    expect(evaluate([grant('cn', { ...named('x'), regions: ['cn-*-*'] })], asked).allowed).toBe(false);
  });

  it('names three grants at most', () => {
    const grants = ['d', 'c', 'b', 'a'].map((name) => grant(name, { secretTypes: ['File'] }));
    expect(evaluate(grants, request())).toMatchObject({ message: expect.stringMatching(/RoleGrant a b c\. /) });
  });
});
