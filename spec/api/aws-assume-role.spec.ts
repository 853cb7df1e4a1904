import { describe, expect, it } from '@jest/globals';
import { type AWSAssumeRoleSpec, specProblems, withDefaults } from '../../lib/api/aws-assume-role.ts';
import type { RolloutRestart } from '../../lib/api/rollout-restart.ts';
import { badSpecs, fiveFields, goodSpecs } from './bad-specs.ts';

describe('specProblems', () => {
  it.each(badSpecs)('refuses $title', ({ spec, field, says }) => {
    const lines = specProblems(spec).filter((line) => line.startsWith(`${field}`));
    expect(lines).toContainEqual(expect.stringContaining(says));
  });

  it.each(goodSpecs.map((spec) => [spec]))('accepts %j', (spec) => {
    expect(specProblems(spec)).toEqual([]);
  });

  it('reports every problem at once, each with its field', () => {
    expect(specProblems({ roleName: '/x', durationSeconds: 60, secretName: 'x', secretType: 'env' })).toEqual([
      expect.stringMatching(/^spec\.roleName: roleName has a leading/),
      'spec.durationSeconds: should be greater than or equal to 900',
      'spec.secretType: Unsupported value: "env": supported values: "Map", "File", "EcrDockerConfigJson", "Env", "Process", "Template"',
    ]);
  });

  it('judges anything that may be stored without throwing', () => {
    expect(specProblems(undefined)).toEqual(['spec: Required value']);
    expect(specProblems(null)).toEqual(['spec: must be of type object']);
    expect(specProblems('x')).toEqual(['spec: must be of type object']);
  });

  it('leaves fields alone that it does not know', () => {
    expect(specProblems({ ...fiveFields, later: { field: true } })).toEqual([]);
  });
});

describe('withDefaults', () => {
  it('fills in everything that a legacy manifest leaves open', () => {
    expect(withDefaults({ roleName: 'r', secretName: 's', secretType: 'Map' })).toEqual({
      roleName: 'r',
      secretName: 's',
      secretType: 'Map',
      durationSeconds: 900,
      deletionPolicy: 'Delete',
      adoption: 'Never',
      onExpiry: 'Keep',
      rolloutRestart: { targets: [], minInterval: '1h' },
      suspend: false,
      output: { keys: {}, profile: 'default', mountPath: '/.aws', include: [] },
      refresh: { percent: 60, jitterPercent: 10, minRemainingSeconds: 420 },
    });
  });

  it('asks for an hour where AWS SDKs reload the credential well before its end', () => {
    expect(withDefaults({ roleName: 'r', secretName: 's', secretType: 'Process' }).durationSeconds).toBe(3600);
  });

  it('keeps what is set, also zero and false', () => {
    const rolloutRestart: RolloutRestart = { targets: [{ kind: 'Deployment', name: 'web' }], minInterval: '20m' };
    const set = {
      roleArn: 'arn:aws:iam::123456789012:role/r',
      secretName: 's',
      secretType: 'File',
      durationSeconds: 3600,
      deletionPolicy: 'Retain',
      adoption: 'IfUnowned',
      onExpiry: 'Scrub',
      rolloutRestart,
      suspend: true,
      refresh: { percent: 40, jitterPercent: 0, minRemainingSeconds: 60 },
      region: 'eu-west-1',
      output: { keys: { credentials: 'cloud' }, profile: 'velero', mountPath: '/aws', include: ['region'] },
    } satisfies AWSAssumeRoleSpec;
    expect(withDefaults(set)).toEqual(set);
  });
});
