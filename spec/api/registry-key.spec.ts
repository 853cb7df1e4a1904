import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { keptProblems, specProblems, stoppingProblems } from '../../lib/api/aws-assume-role.ts';
import { registryKeyRules } from '../../lib/api/registry-key.ts';
import { helmFinds, kubeletFinds } from '../support/registry-lookup.ts';

const HOST = '123456789012.dkr.ecr.eu-west-1.amazonaws.com';
const IMAGE = `${HOST}/team-a/web:1.0`;
const rules = registryKeyRules('the key');
const refusals = (key: string) => rules.filter(({ holds }) => !holds(key)).map(({ message }) => message);
const spec = (ecrRepositoryUrl: string) => ({
  roleName: 'r',
  secretName: 's',
  secretType: 'EcrDockerConfigJson',
  ecrRepositoryUrl,
});

describe('a key that kubelet finds', () => {
  it.each([
    [HOST],
    [`${HOST}/`],
    [`${HOST}/team-a`],
    [`${HOST}/team-a/web`],
    [`${HOST}/team-`],
    [`https://${HOST}`],
    [`https://${HOST}/v2/`],
    [`http://${HOST}/team-a/`],
    ['*.dkr.ecr.eu-west-1.amazonaws.com'],
  ])('is taken: %s', (key) => {
    expect({ found: kubeletFinds(key, IMAGE), refusals: refusals(key) }).toEqual({ found: true, refusals: [] });
  });

  it('is found with the port of the image alone', () => {
    expect(refusals('mirror.example.org:5000/ecr')).toEqual([]);
    expect(kubeletFinds('mirror.example.org:5000/ecr', 'mirror.example.org:5000/ecr/web')).toBe(true);
    expect(kubeletFinds('mirror.example.org:5000/ecr', 'mirror.example.org/ecr/web')).toBe(false);
    expect(['mirror.example.org:4430', 'mirror.example.org:4430/ecr'].flatMap(refusals)).toEqual([]);
  });
});

describe('a key that kubelet does not find', () => {
  it.each([
    [`oci://${HOST}`, 'oci:// or docker://'],
    [`docker://${HOST}/team-a`, 'oci:// or docker://'],
    [`HTTPS://${HOST}`, 'oci:// or docker://'],
    [`${HOST}/team-a/web:1.0`, 'a tag, a digest'],
    [`${HOST}/team-a/web@sha256:${'0'.repeat(64)}`, 'a tag, a digest'],
    [`https://${HOST}/team-a/web:latest`, 'a tag, a digest'],
    [`${HOST}:latest`, 'a tag, a digest'],
    [`${HOST}@sha256:${'0'.repeat(64)}`, 'a tag, a digest'],
    [`${HOST}:443`, 'port 443'],
    [`https://${HOST}:443/team-a`, 'port 443'],
    [HOST.toUpperCase(), 'capital letters'],
    [`${HOST}/Team-A`, 'capital letters'],
    [`${HOST}//team-a`, 'an empty part'],
    [`/${HOST}`, 'an empty part'],
    [`${HOST}/*/web`, "a '*' in its path"],
    [`${HOST}/team-a%2Fweb`, 'other characters'],
  ])('is refused with the spelling that works: %s', (key, problem) => {
    expect(kubeletFinds(key, IMAGE)).toBe(false);
    expect(refusals(key)).toContainEqual(expect.stringContaining(problem));
    for (const message of refusals(key)) expect(message).toMatch(/^the key .*, e\.g\. 123456789012\.dkr\.ecr\./);
  });

  it('is refused with one message where one thing is wrong', () => {
    for (const key of [`oci://${HOST}`, `${HOST}/a:1`, `https://${HOST}/a@b`, `https://${HOST}:443/a`, `${HOST}:x`])
      expect(refusals(key)).toHaveLength(1);
  });
});

/** A key out of parts that are right or wrong, and the beginning of the image that is meant. */
const anyKey = fc
  .record({
    scheme: fc.constantFrom('', '', 'https://', 'http://', 'oci://'),
    host: fc.constantFrom('host', 'host.example.org', 'Host'),
    port: fc.constantFrom('', '', ':5000', ':443', ':latest', '@x'),
    path: fc.array(fc.constantFrom('/team', '/a-b', '/v2', '/', '-', '_', ':1', '@x', '*', 'T', '?', '%'), {
      maxLength: 4,
    }),
  })
  .map(({ scheme, host, port, path }) => {
    const name = host + port + path.join('');
    // Kubelet takes /v2/ for the end of the host.
    return { key: scheme + name, image: name.replace(/^([^/]*)\/v2\//, '$1/') };
  });

it('whatever is taken, kubelet and helm find', () => {
  let taken = 0;
  fc.assert(
    fc.property(anyKey, ({ key, image }) => {
      if (refusals(key).length > 0) return;
      taken += 1;
      const isWhole = /^[^/]*$/.test(image);
      const found = {
        kubelet: kubeletFinds(key, isWhole ? `${image}/app` : `${image}app`),
        helm: helmFinds(key, image),
      };
      expect({ key, ...found }).toEqual({ key, kubelet: true, helm: true });
    }),
    { numRuns: 3000 },
  );
  expect(taken).toBeGreaterThan(100);
});

describe('an object that was stored with such a key', () => {
  it('is told, and goes on', () => {
    const stored = spec(`oci://${HOST}`);
    expect(keptProblems(stored)).toEqual([
      expect.stringContaining('spec.ecrRepositoryUrl: ecrRepositoryUrl starts with'),
    ]);
    expect(specProblems(stored)).toEqual(keptProblems(stored));
    expect(stoppingProblems(stored)).toEqual([]);
  });

  it('stops for whatever else is wrong with it', () => {
    const stored = { ...spec(`oci://${HOST}`), durationSeconds: 60 };
    expect(stoppingProblems(stored)).toEqual(['spec.durationSeconds: should be greater than or equal to 900']);
    expect(keptProblems(stored)).toHaveLength(1);
  });
});
