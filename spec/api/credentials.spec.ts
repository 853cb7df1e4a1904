import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { format, inspect } from 'node:util';
import { serialize } from 'node:v8';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SecretValue, type Session } from '../../lib/api/credentials.ts';
import { createLogger } from '../../lib/log.ts';

const SECRET = 'wJalrXUtnFEMI-never-printed';
const value = new SecretValue(SECRET);
const session: Session = {
  accessKeyId: 'ASIAONE',
  secretAccessKey: value,
  sessionToken: new SecretValue(`${SECRET}-token`),
  issuedAt: 0,
  expiresAt: 1,
  assumedRoleArn: 'arn',
};

function consoleText(print: (console: Console) => void): string {
  let text = '';
  const stdout = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  print(new Console({ stdout, stderr: stdout }));
  return text;
}

function logText(formatOf: 'json' | 'text', fields: object): string {
  let text = '';
  const write = (line: string) => {
    text += line;
  };
  const log = createLogger({ format: formatOf, destination: { write } });
  log.info(fields, 'message');
  log.child({ bound: value, fields }).info('message %s %o %j', value, value, value);
  return text;
}

/** Every way of turning a value into text that this program and its libraries have. */
const routes: Record<string, (held: SecretValue) => string> = {
  template: (held) => `${held}`,
  'part of a longer text': (held) => `${['x'].concat(held as never).join('')}`,
  String: (held) => String(held),
  toString: (held: SecretValue) => held.toString(),
  toLocaleString: (held: SecretValue) => held.toLocaleString(),
  'list joined': (held) => [held, [held]].join(),
  'as a key': (held) => Object.keys({ [held as unknown as string]: 1 }).join(),
  'as a number': (held) => String(Number(held)),
  JSON: (held) => JSON.stringify(held),
  'JSON of an object around it': (held) => JSON.stringify({ a: [held], b: { held } }),
  inspect: (held) => inspect(held),
  'inspect with everything': (held) =>
    inspect({ held }, { showHidden: true, depth: 9, getters: true, showProxy: true }),
  'inspect without our own way': (held) => inspect(held, { customInspect: false, showHidden: true }),
  'format %s %o %O %j': (held) => format('%s %o %O %j', held, held, held, held),
  'format %d %i %f': (held) => format('%d %i %f', held, held, held),
  'console.log': (held) => consoleText((out) => out.log(held, { held }, `${held}`)),
  'console.table': (held) => consoleText((out) => out.table([{ held }])),
  'console.dir': (held) => consoleText((out) => out.dir({ held }, { showHidden: true })),
  'message of an error': (held) => inspect(new Error(`failed with ${held}`, { cause: held })),
  'fields of an error': (held) => inspect(Object.assign(new Error('x'), { held })),
  'entries and names': (held) =>
    JSON.stringify([
      Object.entries(held),
      Object.getOwnPropertyNames(held),
      Object.getOwnPropertySymbols(held),
      { ...held },
    ]),
  'structured clone': (held) => inspect(structuredClone({ held }), { showHidden: true }),
  'v8 serialization': (held) => serialize({ held }).toString('latin1'),
  'query of a URL': (held) => new URLSearchParams({ held: held as unknown as string }).toString(),
  'pino as JSON': (held) => logText('json', { held, deep: { list: [held] }, err: held }),
  'pino for people': (held) => logText('text', { held, deep: { list: [held] } }),
};

describe('a secret value', () => {
  it('gives itself when it is asked to', () => {
    expect(value.reveal()).toBe(SECRET);
  });

  it.each(Object.keys(routes))('does not print itself: %s', (route) => {
    expect(routes[route]?.(value)).not.toContain(SECRET);
  });

  it.each(['template', 'String', 'toString', 'inspect'])('says what it is instead: %s', (route) => {
    expect(routes[route]?.(value)).toBe('[redacted]');
  });

  it('says so in JSON', () => {
    expect(JSON.parse(JSON.stringify({ session }))).toEqual({
      session: { ...session, secretAccessKey: '[redacted]', sessionToken: '[redacted]' },
    });
  });

  it('does not print itself as part of a session', () => {
    const texts = [
      JSON.stringify(session),
      inspect(session, { depth: 9 }),
      logText('json', { session }),
      logText('text', { session }),
    ];
    expect(texts.filter((text) => text.includes(SECRET))).toEqual([]);
  });

  it('does not print itself, whatever it is', () => {
    const anySecret = fc.string({ minLength: 12, unit: 'grapheme-ascii' });
    fc.assert(
      fc.property(anySecret, (text) => {
        const held = new SecretValue(text);
        expect(held.reveal()).toBe(text);
        for (const route of [routes['template'], routes['JSON'], routes['inspect with everything']])
          expect(route?.(held)).not.toContain(text);
      }),
    );
  });
});
