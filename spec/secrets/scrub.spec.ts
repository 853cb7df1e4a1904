import { describe, expect, it } from '@jest/globals';
import { digest } from '../../lib/secrets/render.ts';
import { isScrubbedDigest, scrubbedData } from '../../lib/secrets/scrub.ts';

describe('a Secret without a credential', () => {
  it.each([
    ['Opaque', {}],
    ['kubernetes.io/dockerconfigjson', { '.dockerconfigjson': '{"auths":{}}' }],
    [undefined, {}],
  ])('of type %s holds what the type asks for at least', (type, data) => {
    expect(scrubbedData(type)).toEqual(data);
  });

  it('is told by its digest, whatever its type', () => {
    const digests = [scrubbedData('Opaque'), scrubbedData('kubernetes.io/dockerconfigjson')].map(digest);
    expect([...digests, digest({ key: '' }), undefined].map(isScrubbedDigest)).toEqual([true, true, false, false]);
  });
});
