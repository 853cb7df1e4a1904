import { describe, expect, it } from '@jest/globals';
import { type AWSAssumeRole, withDefaults } from '../../../lib/api/aws-assume-role.ts';
import type { RoleGrant, RoleGrantSpec } from '../../../lib/api/role-grant.ts';
import { ask, clampNote, type Surroundings } from '../../../lib/controllers/aws-assume-role/ask.ts';
import { clampTo } from '../../../lib/credentials/duration.ts';
import { at, role } from './fixtures.ts';

const ROLE = 'arn:aws:iam::111122223333:role/reader';
const caller = {
  arn: 'arn:aws:iam::111122223333:user/operator',
  accountId: '111122223333',
  partition: 'aws',
  isSession: false,
};
const grant = (change: Partial<RoleGrantSpec> = {}): RoleGrant => ({
  apiVersion: 'rolevend.dev/v1alpha1',
  kind: 'RoleGrant',
  metadata: { name: 'default', uid: 'g-1', generation: 1 },
  spec: { namespaces: { names: ['*'] }, roles: ['arn:self:iam::self:role/*'], ...change },
});
const around = (change: Partial<Surroundings> = {}): Surroundings => ({
  caller,
  identityProblem: undefined,
  region: 'eu-west-1',
  grants: [grant()],
  namespaceLabels: {},
  ...change,
});
const asked = (object: AWSAssumeRole, change: Partial<Surroundings> = {}) =>
  ask(object, withDefaults(object.spec), around(change));

describe('what an object asks for', () => {
  it('is one request with the bucket of its identity, Region and operation', () => {
    const { roleArn, granted, request, obstacle, ...rest } = asked(role());
    expect({ roleArn, granted, obstacle, rest }).toEqual({
      roleArn: ROLE,
      granted: { allowed: true, message: `RoleGrant default allows ${ROLE}` },
      obstacle: undefined,
      rest: { buckets: ['111122223333/operator eu-west-1 AssumeRole'], grantsKey: 'default@g-1/1' },
    });
    expect(request).toMatchObject({
      namespace: 'team',
      name: 'app',
      roleArn: ROLE,
      region: 'eu-west-1',
      durationSeconds: 900,
    });
  });

  it('names the grants that allow it by their generation, so that a changed one can be told', () => {
    const keyOf = (...grants: RoleGrant[]) => {
      const found = asked(role(), { grants });
      return found.obstacle ? undefined : found.grantsKey;
    };
    const other = grant({ namespaces: { names: ['nobody'] } });
    expect(keyOf(grant(), { ...other, metadata: { name: 'other' } })).toBe('default@g-1/1');
    expect(keyOf({ ...grant(), metadata: { ...grant().metadata, generation: 2 } })).toBe('default@g-1/2');
  });

  const hop = (name: string) => `arn:aws:iam::444455556666:role/${name}`;
  const chained = role({ spec: { chain: [{ roleArn: hop('one') }, { roleArn: hop('two') }] } });
  const ofHops = (name: string, roles: string[]): RoleGrant => ({
    ...grant({ roles }),
    metadata: { name, uid: `u-${name}`, generation: 3 },
  });

  it('needs a grant for every role of a chain, and has the buckets of those that sign', () => {
    const hops = ofHops('hops', [hop('*')]);
    expect(asked(chained, { grants: [grant(), hops] })).toMatchObject({
      roleArn: ROLE,
      granted: {
        allowed: true,
        message: `RoleGrant hops allows ${hop('one')}; RoleGrant hops allows ${hop('two')}; RoleGrant default allows ${ROLE}`,
      },
      request: { hops: [{ roleArn: hop('one') }, { roleArn: hop('two') }] },
      buckets: [
        '444455556666/one eu-west-1 AssumeRole',
        '444455556666/two eu-west-1 AssumeRole',
        '111122223333/operator eu-west-1 AssumeRole',
      ],
      grantsKey: 'default@g-1/1 hops@u-hops/3',
    });
    expect(asked(chained, { grants: [grant(), ofHops('one', [hop('one')])] })).toEqual({
      roleArn: ROLE,
      granted: { allowed: false, message: expect.stringContaining(hop('two')) },
      obstacle: { code: 'GrantDenied', permanent: true, message: expect.stringContaining(hop('two')) },
    });
  });

  const auth = { type: 'ServiceAccount', serviceAccountRef: { name: 'app' } } as const;
  const ofAccount = {
    ...role(),
    spec: { roleArn: ROLE, secretName: 'creds', secretType: 'Map', auth },
  } as AWSAssumeRole;

  it('needs neither identity nor grant where a ServiceAccount stands in', () => {
    const found = asked(ofAccount, { caller: undefined, grants: [] });
    expect(found).toEqual({
      roleArn: ROLE,
      granted: {
        allowed: true,
        message: `no RoleGrant is needed: IAM decides by the ServiceAccount whether it may use ${ROLE}`,
      },
      request: expect.objectContaining({ serviceAccount: { name: 'app', audience: 'sts.amazonaws.com' } }),
      buckets: ['111122223333/web-identity eu-west-1 AssumeRoleWithWebIdentity'],
      grantsKey: '',
    });
  });

  it.each(['us-iso-east-1', 'cn-north-1', 'us-gov-west-1'])(
    'is nothing in %s, a Region of another partition, with the own identity and with a ServiceAccount',
    (region) => {
      for (const object of [role({ spec: { region } }), { ...ofAccount, spec: { ...ofAccount.spec, region } }]) {
        const { obstacle } = asked(object);
        expect([obstacle?.code, obstacle?.message]).toEqual([
          'GrantDenied',
          expect.stringContaining('(of spec.region)'),
        ]);
      }
    },
  );

  it('is possible in a Region of the partition that the SDK does not know yet', () => {
    expect(asked(role({ spec: { region: 'eu-northwest-7' } })).obstacle).toBeUndefined();
  });

  it('heeds a grant that forbids ServiceAccounts also while the operator does not know its own account', () => {
    const grants = [grant({ auth: ['Operator'] })];
    for (const known of [caller, undefined]) {
      expect(asked(ofAccount, { caller: known, grants }).obstacle).toMatchObject({ code: 'GrantDenied' });
    }
  });

  it('needs the identity for a role by name, also with a ServiceAccount', () => {
    const named = role({ spec: { auth } });
    expect(asked(named, { caller: undefined }).obstacle).toMatchObject({ code: 'NoIdentity' });
    expect(asked(named, { grants: [] })).toMatchObject({ roleArn: ROLE, granted: { allowed: true } });
  });

  describe('in a namespace that is not known yet', () => {
    const unknown = { namespaceLabels: undefined };
    const byLabel = grant({ namespaces: { selector: { matchLabels: { team: 'a' } } } });
    const waits = {
      code: 'NamespaceUnknown',
      message: 'the labels of namespace team are not known yet, and grants select by them',
      permanent: false,
    };

    it('waits for its labels, whether a grant that selects by them might allow it or restrict it', () => {
      expect(asked(role(), { ...unknown, grants: [byLabel] })).toEqual({ roleArn: ROLE, obstacle: waits });
      expect(asked(role(), { ...unknown, grants: [grant(), byLabel] }).obstacle).toEqual(waits);
      expect(asked(ofAccount, { ...unknown, grants: [byLabel] }).obstacle).toEqual(waits);
    });

    it('does not wait where no grant selects by labels', () => {
      expect(asked(role(), unknown).request).toBeDefined();
      expect(asked(role(), { ...unknown, grants: [] }).obstacle).toMatchObject({
        code: 'GrantDenied',
        permanent: true,
      });
    });

    it('is told first what is wrong with its spec', () => {
      const wrong = role({ spec: { roleName: '/x' } });
      expect(asked(wrong, { ...unknown, grants: [byLabel] }).obstacle).toMatchObject({ code: 'InvalidSpec' });
    });
  });

  it('works for an object without a namespace', () => {
    expect(asked({ ...role(), metadata: { name: 'app' } }).request).toMatchObject({ namespace: '' });
  });

  it.each<[string, AWSAssumeRole, Partial<Surroundings>, object]>([
    [
      'a spec that is wrong, whoever asks',
      role({ spec: { roleName: '/x', durationSeconds: 60 } }),
      { caller: undefined },
      {
        obstacle: {
          code: 'InvalidSpec',
          permanent: true,
          message: expect.stringMatching(
            /spec\.roleName.*; .*spec\.durationSeconds|spec\.durationSeconds.*; .*spec\.roleName/,
          ),
        },
      },
    ],
    [
      'no identity, and why',
      role(),
      { caller: undefined, identityProblem: 'no credentials found' },
      { obstacle: { code: 'NoIdentity', permanent: false, message: 'no credentials found' } },
    ],
    [
      'no identity, and nobody knows why',
      role(),
      { caller: undefined },
      { obstacle: { code: 'NoIdentity', permanent: false, message: 'the operator has no AWS identity' } },
    ],
    [
      'no grant',
      role(),
      { grants: [] },
      {
        roleArn: ROLE,
        granted: { allowed: false, message: expect.stringContaining('team') },
        obstacle: { code: 'GrantDenied', permanent: true, message: expect.stringContaining(ROLE) },
      },
    ],
    [
      'a template with a name that nobody knows',
      role({ spec: { secretType: 'Template', template: { data: { a: '${key}' } } } }),
      {},
      { obstacle: { code: 'InvalidSpec', permanent: true, message: expect.stringContaining('"key"; known are') } },
    ],
  ])('is hindered by %s', (_what, object, change, expected) => {
    expect(asked(object, change)).toEqual(expected);
  });

  it('throws on what nobody foresaw', () => {
    const broken = {
      ...caller,
      get isSession(): boolean {
        throw new TypeError('broken');
      },
    };
    expect(() => asked(role(), { caller: broken })).toThrow(TypeError);
  });
});

describe("the role's own maximum", () => {
  const learned = (reason: string, generation = 2): AWSAssumeRole =>
    role({
      spec: { durationSeconds: 43_200 },
      status: {
        observedGeneration: generation,
        effectiveDurationSeconds: 3600,
        conditions: [{ type: 'DurationClamped', status: 'True', reason, message: '', lastTransitionTime: at(0) }],
      },
    });

  it.each([
    ['is remembered while the generation stays', learned('RoleMaximum'), 3600],
    ['is forgotten with a new generation', learned('RoleMaximum', 1), 43_200],
    ['is not what another clamp left', learned('RoleChaining'), 43_200],
    ['is not known at first', role({ spec: { durationSeconds: 43_200 } }), 43_200],
  ])('%s', (_what, object, seconds) => {
    expect(asked(object).request?.durationSeconds).toBe(seconds);
  });
});

describe('the condition DurationClamped', () => {
  const spec = (change: Partial<AWSAssumeRole['spec']> = {}) => withDefaults(role({ spec: change }).spec);

  it('is none where nothing was shortened', () => {
    expect(clampNote([], spec())).toBeUndefined();
  });

  it('tells the tightest clamp and its way out', () => {
    const clamps = [clampTo('RoleChaining', 3600), clampTo('Grant', 1800)];
    expect(clampNote(clamps, spec())).toEqual({ reason: 'Grant', message: clamps[1]?.message });
  });

  it.each<[string, Partial<AWSAssumeRole['spec']>, number, boolean]>([
    ['minRemaining is more than 60 % of what is left', { refresh: { minRemainingSeconds: 2161 } }, 3600, true],
    ['minRemaining is 60 % of it', { refresh: { minRemainingSeconds: 2160 } }, 3600, false],
    [
      'the life is that of a registry token',
      { refresh: { minRemainingSeconds: 7200 }, secretType: 'EcrDockerConfigJson' },
      3600,
      false,
    ],
  ])('says what is kept where %s: %p', (_what, change, seconds, isSaid) => {
    const note = clampNote([clampTo('Grant', seconds)], spec(change));
    expect(note?.message.includes('2160 s are kept')).toBe(isSaid);
  });

  it.each<[AWSAssumeRole['spec']['secretType'], number, boolean]>([
    ['Process', 3599, true],
    ['Process', 3600, false],
    ['File', 1800, false],
  ])('says of type %s with %i s whether SDKs reload too often', (secretType, seconds, isSaid) => {
    const note = clampNote([clampTo('Grant', seconds)], spec({ secretType }));
    expect(note?.message.includes('AWS SDKs reload up to 15 minutes before the end')).toBe(isSaid);
  });
});
