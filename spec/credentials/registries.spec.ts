import { describe, expect, it } from '@jest/globals';
import type { AWSAssumeRoleSpec } from '../../lib/api/aws-assume-role.ts';
import { withDefaults } from '../../lib/api/aws-assume-role.ts';
import { sourceKey, wantedLogins } from '../../lib/credentials/registries.ts';

const home = { roleArn: 'arn:aws:iam::111122223333:role/app', region: 'eu-central-1' };

/** The entries of the Secret, each with its source. */
function logins(spec: Partial<AWSAssumeRoleSpec>, at = home): Record<string, string> {
  const whole = withDefaults({ roleName: 'app', secretName: 's', secretType: 'EcrDockerConfigJson', ...spec });
  return Object.fromEntries(wantedLogins(whole, at).map(({ url, source }) => [url, sourceKey(source)]));
}

const registry = (...registries: NonNullable<NonNullable<AWSAssumeRoleSpec['ecr']>['registries']>) =>
  logins({ ecr: { registries } });

describe('wantedLogins', () => {
  it('keeps ecrRepositoryUrl as it was written; its host decides where the token comes from', () => {
    const source = (ecrRepositoryUrl: string) => logins({ ecrRepositoryUrl });
    const urls = [
      '444455556666.dkr.ecr.us-west-2.amazonaws.com/a:1',
      'mirror.example.org/x',
      'public.ecr.aws/a',
    ] as const;
    expect(urls.map(source)).toEqual([
      { [urls[0]]: '444455556666/us-west-2' },
      { [urls[1]]: '111122223333/eu-central-1' },
      { [urls[2]]: 'public' },
    ]);
  });

  it('writes the classic and the dual-stack host of a registry without URLs', () => {
    expect(registry({}, { accountId: '444455556666', region: 'us-west-2' })).toEqual({
      '111122223333.dkr.ecr.eu-central-1.amazonaws.com': '111122223333/eu-central-1',
      '111122223333.dkr-ecr.eu-central-1.on.aws': '111122223333/eu-central-1',
      '444455556666.dkr.ecr.us-west-2.amazonaws.com': '444455556666/us-west-2',
      '444455556666.dkr-ecr.us-west-2.on.aws': '444455556666/us-west-2',
    });
  });

  it.each([
    ['cn-north-1', ['dkr.ecr.cn-north-1.amazonaws.com.cn', 'dkr-ecr.cn-north-1.on.amazonwebservices.com.cn']],
    ['us-gov-west-1', ['dkr.ecr.us-gov-west-1.amazonaws.com', 'dkr-ecr.us-gov-west-1.on.aws']],
    ['us-iso-east-1', ['dkr.ecr.us-iso-east-1.c2s.ic.gov']],
    ['us-isob-east-1', ['dkr.ecr.us-isob-east-1.sc2s.sgov.gov']],
    ['eu-isoe-west-1', ['dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk']],
    ['us-isof-south-1', ['dkr.ecr.us-isof-south-1.csp.hci.ic.gov']],
    ['eusc-de-east-1', ['dkr.ecr.eusc-de-east-1.amazonaws.eu']],
  ])('knows the hosts of %s', (region, hosts) => {
    expect(Object.keys(registry({ region }))).toEqual(hosts.map((host) => `111122223333.${host}`));
  });

  it('takes account and Region from the host of a URL, and from the entry where the host does not tell', () => {
    const vpc = 'vpce-1-2.ecr.eu-west-1.vpce.amazonaws.com';
    const own = '444455556666.dkr.ecr-fips.us-east-1.amazonaws.com/team';
    expect(registry({ accountId: '777788889999', region: 'eu-west-1', urls: [vpc, own, 'public.ecr.aws'] })).toEqual({
      [vpc]: '777788889999/eu-west-1',
      [own]: '444455556666/us-east-1',
      'public.ecr.aws': 'public',
    });
  });

  it('has the hosts of ECR Public, or the mirrors of it that are named', () => {
    expect(registry({ public: true })).toEqual({ 'public.ecr.aws': 'public', 'ecr-public.aws.com': 'public' });
    expect(registry({ public: true, urls: ['mirror.example.org'] })).toEqual({ 'mirror.example.org': 'public' });
  });

  it('has each URL once, by the first that names it', () => {
    const url = 'mirror.example.org';
    const entry = (accountId: string) => ({ accountId, region: 'eu-west-1', urls: [url] });
    const registries = [entry('444455556666'), entry('777788889999')];
    expect(registry(...registries)).toEqual({ [url]: '444455556666/eu-west-1' });
    expect(logins({ ecrRepositoryUrl: url, ecr: { registries } })).toEqual({ [url]: '111122223333/eu-central-1' });
  });

  it('refuses a URL of which nobody tells the account', () => {
    expect(() => registry({ region: 'eu-west-1', urls: ['mirror.example.org'] })).toThrow(
      expect.objectContaining({ code: 'InvalidSpec', message: expect.stringContaining('set accountId and region') }),
    );
  });

  it('has none for other types', () => {
    expect(logins({ secretType: 'Map', ecrRepositoryUrl: 'public.ecr.aws' })).toEqual({});
  });
});
