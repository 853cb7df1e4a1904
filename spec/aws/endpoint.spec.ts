import { expect, test } from '@jest/globals';
import { stsEndpoint } from '../../lib/aws/endpoint.ts';

test.each([
  ['eu-west-1', undefined, 'https://sts.eu-west-1.amazonaws.com/', 'eu-west-1'],
  ['cn-north-1', undefined, 'https://sts.cn-north-1.amazonaws.com.cn/', 'cn-north-1'],
  ['fips-us-east-1', undefined, 'https://sts-fips.us-east-1.amazonaws.com/', 'us-east-1'],
  ['eu-west-1', 'http://127.0.0.1:4566', 'http://127.0.0.1:4566/', 'eu-west-1'],
  ['eu-west-1', 'https://vpce.example.com:8443/sts', 'https://vpce.example.com:8443/sts/', 'eu-west-1'],
])('STS of %s with endpoint %s is asked at %s, and signed for %s', async (region, endpoint, url, signedFor) => {
  const found = await stsEndpoint({ region, ...(endpoint && { endpoint }) });
  expect({ ...found, url: found.url.href }).toEqual({ url, scope: { region: signedFor, service: 'sts' } });
});
