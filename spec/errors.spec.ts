import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { describeError, isAbort, RolevendError } from '../lib/errors.ts';

const BODY = 'request body with a token';

class CertificateError extends RolevendError {}

describe('RolevendError', () => {
  it('carries code, consequence, request id and the least wait', () => {
    const error = new RolevendError('STS is busy', {
      code: 'Throttling',
      consequence: 'retry',
      requestId: 'r-1',
      retryAfterMs: 500,
    });
    expect({ ...error, message: error.message }).toEqual({
      name: 'RolevendError',
      message: 'STS is busy',
      code: 'Throttling',
      consequence: 'retry',
      requestId: 'r-1',
      retryAfterMs: 500,
    });
  });

  it('is named by its class', () => {
    const error = new CertificateError('x', { code: 'Expired', consequence: 'stop' });
    expect([error.name, error instanceof Error, error instanceof RolevendError, 'cause' in error]).toEqual([
      'CertificateError',
      true,
      true,
      false,
    ]);
  });

  it('keeps its cause, and prints it nowhere', () => {
    const cause = Object.assign(new Error(BODY), { body: BODY });
    const error = new RolevendError('failed', { code: 'X', consequence: 'retry', cause });
    const outer = new Error('outer', { cause: error });
    const prints = [
      inspect(error),
      inspect(error, { showHidden: true, depth: 9 }),
      inspect(outer, { depth: 9 }),
      JSON.stringify(error),
      String(error),
      error.stack ?? '',
      JSON.stringify(Object.entries(error)),
    ];
    expect(error.cause).toBe(cause);
    expect(prints.filter((text) => text.includes(BODY))).toEqual([]);
  });
});

describe('isAbort', () => {
  it.each([
    [new DOMException('x', 'AbortError'), true],
    [new DOMException('x', 'TimeoutError'), true],
    [new Error('x'), false],
    ['AbortError', false],
    [undefined, false],
  ])('%p: %p', (error, expected) => {
    expect(isAbort(error)).toBe(expected);
  });
});

describe('describeError', () => {
  it.each<[string, unknown, string]>([
    [
      'ours with code and message',
      new RolevendError('no grant', { code: 'GrantDenied', consequence: 'stop' }),
      'GrantDenied: no grant',
    ],
    [
      'a foreign one with its name and code alone',
      Object.assign(new TypeError(BODY), { code: 'ECONNRESET' }),
      'TypeError (ECONNRESET)',
    ],
    ['a foreign one without a code with its name', new TypeError(BODY), 'TypeError'],
    ['a code that is no text not at all', Object.assign(new Error(BODY), { code: 7 }), 'Error'],
    ['a text not at all', BODY, 'string'],
    ['nothing as such', undefined, 'undefined'],
  ])('shows %s', (_what, error, expected) => {
    expect(describeError(error)).toBe(expected);
  });
});
