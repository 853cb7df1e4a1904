import { createPrivateKey } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { keyPairProblem } from '../../lib/kube/key-pair.ts';
import { certificatesProblem } from '../../lib/net/pem.ts';
import { createAuthority, type Issued } from '../lab/certificates.ts';

describe('a client certificate and its key', () => {
  let authority: string;
  let issued: Issued;
  let other: Issued;

  beforeAll(async () => {
    const made = await createAuthority();
    [authority, issued, other] = [made.cert, await made.issue('one'), await made.issue('other')];
  });

  const half = (text: string) => text.slice(0, text.length / 2);
  /** The key in another form. */
  const sealed = (passphrase: string) =>
    createPrivateKey(issued.key).export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase }) as string;
  const sec1 = () => createPrivateKey(issued.key).export({ type: 'sec1', format: 'pem' }) as string;
  const problem = (certificate: string, key: string) => keyPairProblem({ certificate, key });

  it('can be used, also in other forms', () => {
    const parameters = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n';
    const pairs = [
      [issued.cert, issued.key],
      [issued.cert, sec1()],
      [issued.cert, parameters + sec1()],
      [`some text\n${issued.cert}\n${authority}`, issued.key],
      [issued.key + issued.cert, issued.key + issued.cert],
      [`${issued.cert}\n${issued.key}`, `${issued.cert}\n${issued.key}`],
      [issued.cert.replaceAll('\n', '\r\n'), issued.key.replaceAll('\n', '\r\n')],
    ] as const;
    expect(pairs.map(([certificate, key]) => problem(certificate, key))).toEqual(pairs.map(() => undefined));
  });

  it('are refused where they cannot be used, with what is wrong', () => {
    const pairs: (readonly [string, string])[] = [
      [issued.cert, other.key],
      ['', issued.key],
      ['nothing', issued.key],
      [half(issued.cert), issued.key],
      [`${issued.cert}\n${half(authority)}`, issued.key],
      [issued.cert, ' \n'],
      [issued.cert, 'nothing'],
      [issued.cert, half(issued.key)],
      [issued.cert, sealed('hunter2')],
    ];
    expect(pairs.map(([certificate, key]) => problem(certificate, key))).toEqual([
      'the key is that of another certificate',
      'the certificate is empty',
      'the certificate holds no PEM certificate',
      'the certificate is cut off or damaged',
      'the certificate is cut off or damaged',
      'the key is empty',
      'the key is no PEM private key',
      'the key is cut off or damaged',
      'the key is protected with a password, for which nobody can be asked here',
    ]);
  });

  it('of an authority may be many, but none that was cut off', () => {
    expect(
      [authority, `${authority}\n${issued.cert}`, `${authority}\n${half(issued.cert)}`].map(certificatesProblem),
    ).toEqual([undefined, undefined, 'is cut off or damaged']);
  });

  it('that are cut off anywhere are told from whole ones', () => {
    const text = `${authority}\n${issued.cert}`;
    const end = text.trimEnd().length;
    const cut = Array.from({ length: end }, (_, length) => length).filter(
      (length) => certificatesProblem(text.slice(0, length)) === undefined,
    );
    // Only where the first one is whole and the second has not begun.
    const [first, second] = [authority.trimEnd().length, text.indexOf('-----BEGIN CERTIFICATE-----', 1)];
    expect(cut.filter((length) => length < first || length > second + 27)).toEqual([]);
  });
});
