import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { RoleGrant, RoleGrantSpec } from '../../lib/api/role-grant.ts';
import { matchRegion } from '../../lib/credentials/grant-regions.ts';
import { combine } from '../../lib/credentials/grant-terms.ts';
import { evaluate, type GrantRequest, matches } from '../../lib/credentials/grants.ts';

const types = ['Map', 'File', 'EcrDockerConfigJson', 'Env', 'Process', 'Template'] as const;
const tagKeys = ['team', 'stage'] as const;
const spec: fc.Arbitrary<RoleGrantSpec> = fc.record(
  {
    namespaces: fc.oneof(
      fc.record({ names: fc.subarray(['team-a', 'team-*', '*', 'other'], { minLength: 1 }) }),
      fc.record({ selector: fc.record({ matchLabels: fc.constantFrom({ a: '1' }, { a: '2' }, { b: '1' }) }) }),
    ),
    roles: fc.subarray(
      ['arn:self:iam::self:role/*', 'arn:self:iam::self:role/a/*', 'arn:aws:iam::111122223333:role/b'],
      {
        minLength: 1,
      },
    ),
    maxDurationSeconds: fc.integer({ min: 900, max: 43_200 }),
    secretTypes: fc.subarray([...types], { minLength: 1 }),
    sessionName: fc.constantFrom('Derived', 'Any'),
    sourceIdentity: fc.constantFrom('None', 'Derived', 'Any'),
    tenantTagKeys: fc.subarray([...tagKeys]),
    auth: fc.subarray(['Operator', 'ServiceAccount'], { minLength: 1 }),
    regions: fc.subarray(['eu-*-*', 'us-east-1', '*-*-1', 'cn-north-1'], { minLength: 1 }),
  },
  { requiredKeys: ['namespaces', 'roles'] },
);
const grants: fc.Arbitrary<RoleGrant[]> = fc
  .array(spec, { maxLength: 6 })
  .map((specs) =>
    specs.map((one, index) => ({ apiVersion: '', kind: 'RoleGrant', metadata: { name: `g${index}` }, spec: one })),
  );
const request: fc.Arbitrary<GrantRequest> = fc.record({
  namespace: fc.constantFrom('team-a', 'team-b', 'other', 'none'),
  namespaceLabels: fc.constantFrom({}, { a: '1' }, { a: '2', b: '1' }),
  name: fc.constant('x'),
  roleArn: fc.constantFrom('a/x', 'b', 'c').map((path) => `arn:aws:iam::111122223333:role/${path}`),
  self: fc.constant({ accountId: '111122223333', partition: 'aws' }),
  regions: fc
    .subarray(['eu-west-2', 'us-east-1', 'cn-north-1'])
    .map((list) => list.map((region, index) => ({ field: `field ${index}`, region }))),
  isHome: fc.constant((region: string) => region !== 'cn-north-1'),
  spec: fc.record(
    {
      secretType: fc.constantFrom(...types),
      sessionName: fc.constant('audit'),
      sourceIdentity: fc.constant('jane'),
      sessionTags: fc.subarray([...tagKeys]).map((keys) => Object.fromEntries(keys.map((key) => [key, 'x']))),
    },
    { requiredKeys: ['secretType'] },
  ),
});

describe('any set of grants', () => {
  it('gives the same decision in every order', () => {
    fc.assert(
      fc.property(grants, request, (list, asked) => {
        expect(evaluate([...list].reverse(), asked)).toEqual(evaluate(list, asked));
      }),
    );
  });

  it('denies whatever no grant matches', () => {
    fc.assert(
      fc.property(grants, request, (list, asked) => {
        if (list.some((grant) => matches(grant, asked))) return;
        expect(evaluate(list, asked).allowed).toBe(false);
      }),
    );
  });

  it('is not changed by grants that do not match', () => {
    fc.assert(
      fc.property(grants, request, (list, asked) => {
        const decision = evaluate(list, asked);
        fc.pre(decision.allowed);
        expect(
          evaluate(
            list.filter((grant) => matches(grant, asked)),
            asked,
          ),
        ).toEqual(decision);
      }),
    );
  });

  it('allows no Secret type, name, source identity, tag and duration beyond a matching grant that limits it', () => {
    fc.assert(
      fc.property(grants, request, (list, asked) => {
        const decision = evaluate(list, asked);
        fc.pre(decision.allowed);
        if (!decision.allowed) return;
        for (const { spec: limits } of list.filter((grant) => matches(grant, asked))) {
          expect(limits.secretTypes ?? types).toContain(asked.spec.secretType);
          expect(decision.terms.maxDurationSeconds ?? 0).toBeLessThanOrEqual(limits.maxDurationSeconds ?? 43_200);
          expect(limits.auth ?? ['Operator']).toContain('Operator');
          for (const { region } of asked.regions)
            expect((limits.regions ?? ['*-*-*']).some((pattern) => matchRegion(pattern, region))).toBe(true);
          if (asked.spec.sessionName !== undefined) expect(limits.sessionName).not.toBe('Derived');
          if (asked.spec.sourceIdentity !== undefined) expect(limits.sourceIdentity).not.toBe('Derived');
          expect(limits.tenantTagKeys ?? tagKeys).toEqual(
            expect.arrayContaining(Object.keys(asked.spec.sessionTags ?? {})),
          );
        }
      }),
    );
  });

  it('allows a source identity, a name, a tag or a Region of another partition only where a grant names it', () => {
    fc.assert(
      fc.property(grants, request, (list, asked) => {
        const { sessionName, sourceIdentity, sessionTags = {} } = asked.spec;
        fc.pre(evaluate(list, asked).allowed);
        const matching = list.filter((grant) => matches(grant, asked)).map((grant) => grant.spec);
        const isListed = matching.some((one) => one.regions !== undefined);
        expect(isListed || asked.regions.every(({ region }) => asked.isHome(region))).toBe(true);
        if (sessionName !== undefined) expect(matching.map((one) => one.sessionName)).toContain('Any');
        if (sourceIdentity !== undefined) expect(matching.map((one) => one.sourceIdentity)).toContain('Any');
        const keys = matching.flatMap(({ tenantTagKeys }) => tenantTagKeys ?? []);
        expect(keys).toEqual(expect.arrayContaining(Object.keys(sessionTags)));
      }),
    );
  });

  it('never gets wider terms by one more grant that limits the same fields', () => {
    fc.assert(
      fc.property(grants, spec, (list, more) => {
        const before = combine(list);
        const after = combine([...list, { apiVersion: '', kind: 'RoleGrant', metadata: { name: 'm' }, spec: more }]);
        expect(after.maxDurationSeconds ?? Number.POSITIVE_INFINITY).toBeLessThanOrEqual(
          before.maxDurationSeconds ?? Number.POSITIVE_INFINITY,
        );
        expect(before.secretTypes ?? types).toEqual(expect.arrayContaining(after.secretTypes ?? [...types]));
      }),
    );
  });

  it('always answers a denial with namespace, role and a command', () => {
    fc.assert(
      fc.property(grants, request, (list, asked) => {
        const decision = evaluate(list, asked);
        if (decision.allowed) return;
        expect(decision.message).toContain(`namespace ${asked.namespace} `);
        expect(decision.message).toContain(asked.roleArn);
        expect(decision.message).toContain('kubectl get rolegrants');
      }),
    );
  });
});
