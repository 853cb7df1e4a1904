import { beforeAll, expect, test } from '@jest/globals';
import { certificatesOf } from '../../lib/net/pem.ts';
import { createAuthority } from '../lab/certificates.ts';

let first: string;
let second: string;
beforeAll(async () => {
  [first, second] = (await Promise.all([createAuthority(), createAuthority()])).map(({ cert }) => cert) as [
    string,
    string,
  ];
});

test('certificates may stand between other lines', () => {
  const text = `# one\n${first}\n# two\n${second}\n`;
  expect(certificatesOf(text)).toBe(text);
});

test.each([
  ['', 'is empty'],
  ['hello', 'holds no PEM certificate'],
])('%j is no certificate', (text, problem) => {
  expect(() => certificatesOf(text)).toThrow(problem);
});

test.each([
  ['the first alone is half-written', () => first.slice(0, 200)],
  ['the last is half-written', () => `${first}\n${second.slice(0, 200)}`],
  ['one is damaged', () => `${first}\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n`],
])('a file is refused where %s', (_what, text) => {
  expect(() => certificatesOf(text())).toThrow('is cut off or damaged');
});
