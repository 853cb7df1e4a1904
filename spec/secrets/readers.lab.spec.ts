import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fromIni } from '@aws-sdk/credential-providers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parse } from 'ini';
import { withDefaults } from '../../lib/api/aws-assume-role.ts';
import { SecretValue } from '../../lib/api/credentials.ts';
import { render } from '../../lib/secrets/render.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../lab/guard.ts';
import { findPython } from '../lab/install/python.ts';
import { run } from '../lab/install/run.ts';

/** What botocore reads from each file that is named on a line of the input. */
const BOTOCORE = `
import json, sys
from botocore.credentials import SharedCredentialProvider
found = [SharedCredentialProvider(path.strip(), "default").load().get_frozen_credentials() for path in sys.stdin]
print(json.dumps([list(keys)[:3] for keys in found]))
`;

type Triple = [accessKeyId: string, secretAccessKey: string, sessionToken: string];

const printable = Array.from({ length: 94 }, (_, at) => String.fromCharCode(33 + at));
/** What `ini` takes for a comment, an escape or a quote; STS uses none of them. */
const special = '"\';#\\';
const value = (characters: string[]) =>
  fc.string({ unit: fc.constantFrom(...characters), minLength: 1, maxLength: 1200 });
const triples = (characters: string[]) => {
  const one = value(characters);
  return fc.array(fc.tuple(one, one, one), { minLength: 20, maxLength: 20 });
};

/** The file of a session of these three. */
function fileOf([accessKeyId, secretAccessKey, sessionToken]: Triple): string {
  const secrets = { secretAccessKey: new SecretValue(secretAccessKey), sessionToken: new SecretValue(sessionToken) };
  const session = { accessKeyId, ...secrets, issuedAt: 0, expiresAt: 1, assumedRoleArn: '' };
  const spec = withDefaults({ roleName: 'r', secretName: 's', secretType: 'File' });
  return render(spec, { session, region: 'eu-west-1', roleArn: '' }).data['credentials'] ?? '';
}

describe('what a reader finds in a File is byte for byte what STS issued, for any token', () => {
  let directory: TemporaryDirectory;

  beforeAll(async () => {
    directory = await temporaryDirectory('rolevend-readers-');
  });

  afterAll(() => directory?.remove());

  async function written(sessions: readonly Triple[]): Promise<string[]> {
    const paths = sessions.map((_, at) => join(directory.path, String(at)));
    await Promise.all(sessions.map((session, at) => writeFile(paths[at] ?? '', fileOf(session))));
    return paths;
  }

  test('by botocore', async () => {
    const python = (await findPython()) ?? '';
    const property = fc.asyncProperty(triples(printable), async (sessions) => {
      const paths = await written(sessions);
      const { stdout, stderr } = await run([python, '-c', BOTOCORE], { input: `${paths.join('\n')}\n` });
      expect({ stderr, found: JSON.parse(stdout) }).toEqual({ stderr: '', found: sessions });
    });
    await fc.assert(property, { numRuns: 5 });
  });

  test('by the AWS SDK for JavaScript', async () => {
    const property = fc.asyncProperty(triples(printable), async (sessions) => {
      const paths = await written(sessions);
      const configFilepath = join(directory.path, 'none');
      const found = paths.map(async (filepath) => {
        const keys = await fromIni({ filepath, configFilepath, profile: 'default', ignoreCache: true })();
        return [keys.accessKeyId, keys.secretAccessKey, keys.sessionToken];
      });
      expect(await Promise.all(found)).toEqual(sessions);
    });
    await fc.assert(property, { numRuns: 5 });
  });

  test('by the package ini, for every character that STS uses', async () => {
    const property = fc.property(triples(printable.filter((one) => !special.includes(one))), (sessions) => {
      const found = sessions.map((session) => Object.values(parse(fileOf(session))['default'] ?? {}));
      expect(found).toEqual(sessions);
    });
    fc.assert(property, { numRuns: 10 });
  });
});
