import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseRegistry } from '../../lib/api/ecr-host.ts';

const ACCOUNT = '123456789012';

describe('parseRegistry', () => {
  it.each([
    [`${ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com`, 'eu-west-1'],
    [`https://${ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/team/app`, 'eu-west-1'],
    [`${ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com:443/team/app:1.0`, 'eu-west-1'],
    [`${ACCOUNT}.DKR.ecr.EU-west-1.amazonaws.com`, 'eu-west-1'],
    [`${ACCOUNT}.dkr.ecr.us-gov-west-1.amazonaws.com`, 'us-gov-west-1'],
    [`${ACCOUNT}.dkr.ecr.cn-northwest-1.amazonaws.com.cn`, 'cn-northwest-1'],
    [`${ACCOUNT}.dkr.ecr.us-iso-east-1.c2s.ic.gov`, 'us-iso-east-1'],
    [`${ACCOUNT}.dkr.ecr.us-isob-east-1.sc2s.sgov.gov`, 'us-isob-east-1'],
    [`${ACCOUNT}.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk`, 'eu-isoe-west-1'],
    [`${ACCOUNT}.dkr.ecr.us-isof-south-1.csp.hci.ic.gov`, 'us-isof-south-1'],
    [`${ACCOUNT}.dkr.ecr.eusc-de-east-1.amazonaws.eu`, 'eusc-de-east-1'],
    [`${ACCOUNT}.dkr.ecr-fips.us-east-2.amazonaws.com`, 'us-east-2'],
    [`${ACCOUNT}.dkr-ecr.eu-west-1.on.aws`, 'eu-west-1'],
    [`${ACCOUNT}.dkr-ecr-fips.us-west-2.on.aws/team/app`, 'us-west-2'],
    [`${ACCOUNT}.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn`, 'cn-north-1'],
  ])('finds account and Region in %s', (url, region) => {
    expect(parseRegistry(url)).toEqual({ kind: 'private', accountId: ACCOUNT, region });
  });

  it.each(['public.ecr.aws', 'https://public.ecr.aws/team/app', 'ecr-public.aws.com'])(
    'knows %s as ECR Public',
    (url) => {
      expect(parseRegistry(url)).toEqual({ kind: 'public' });
    },
  );

  it.each([
    '',
    'registry.example.com/team/app',
    'vpce-0123.dkr.ecr.eu-west-1.vpce.amazonaws.com',
    `${ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com.evil.example`,
    `evil.example/${ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com`,
    `user@${ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com`,
    `${ACCOUNT}.dkr.ecr.evil.example#.amazonaws.com`,
    `${ACCOUNT}.dkr.ecr.eu_west_1.amazonaws.com`,
    `1234.dkr.ecr.eu-west-1.amazonaws.com`,
    `${ACCOUNT}.dkr.ecr.aa-${'a-'.repeat(400)}1.amazonaws.com`,
  ])('takes %j for an unknown host', (url) => {
    expect(parseRegistry(url)).toEqual({ kind: 'unknown' });
  });

  it('gives a Region only in the form that may become part of a host name', () => {
    const part = fc.string({ unit: fc.constantFrom(...'ab1-./@#:%?'), maxLength: 20 });
    const property = fc.property(part, (text) => {
      const registry = parseRegistry(`${ACCOUNT}.dkr.ecr.${text}.amazonaws.com`);
      if (registry.kind === 'private') expect(registry.region).toMatch(/^[a-z]{2,}(-[a-z0-9]+)+-\d{1,2}$/);
    });
    fc.assert(property);
  });
});
