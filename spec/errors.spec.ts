import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { describeError, framesOf, isAbort, RolevendError } from '../lib/errors.ts';

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

describe('framesOf', () => {
  const here = /^(?:\S+ )?(?:file:\/\/)?\/\S*errors\.spec\.ts:\d+:\d+$/;

  function thrownBy(work: () => unknown): unknown {
    try {
      return work();
    } catch (error) {
      return error;
    }
  }

  function behind(cause: unknown): RolevendError {
    return new RolevendError('no answer', { code: 'Unreachable', consequence: 'retry', cause });
  }

  it('says where a foreign error was thrown, by function, file, line and column', () => {
    const error = new TypeError(BODY);
    error.stack = `TypeError: ${BODY}
    at new Queue (file:///rolevend.mjs:3:182733)
    at Queue.#take [as take] (/rolevend.mjs:4:1)
    at async Promise.all (index 0)
    at Array.map (<anonymous>)
    at async node:internal/modules/esm/loader:647:26`;
    expect(framesOf(error)).toEqual([
      'new Queue file:///rolevend.mjs:3:182733',
      'Queue.#take [as take] /rolevend.mjs:4:1',
      'async node:internal/modules/esm/loader:647:26',
    ]);
  });

  it.each([
    ['of one line', BODY],
    ['of several lines', `${BODY}\nand a second line with it: ${BODY}`],
    ['with lines like those of a stack', `${BODY}\n    at token (/request/body/with/a/token:1:1)\nend`],
    ['that a library has changed', BODY, (error: Error) => Object.assign(error, { message: 'changed' })],
    ['of a class with a message in its name', BODY, (error: Error) => Object.assign(error, { name: BODY })],
  ])('never shows a text %s', (_what, text, change = (error: Error) => error) => {
    const error = new Error(text);
    void error.stack;
    const frames = framesOf(change(error)) ?? [];
    expect(frames[0]).toMatch(here);
    expect(frames.filter((frame) => frame.includes('token') || frame.includes('body'))).toEqual([]);
  });

  it('gives ten frames at most', () => {
    const deep = (left: number): never => {
      if (left > 0) return deep(left - 1);
      throw new Error('x');
    };
    expect(framesOf(thrownBy(() => deep(30)))).toHaveLength(10);
  });

  it('looks behind ours for the fault of a program', () => {
    const fault = new TypeError(BODY);
    expect(framesOf(behind(fault))).toEqual(framesOf(fault));
    expect(framesOf(behind(behind(fault)))).toEqual(framesOf(fault));
  });

  it.each<[string, unknown]>([
    ['ours', new RolevendError('no grant', { code: 'GrantDenied', consequence: 'stop' })],
    ['ours for what a system answered', behind(Object.assign(new TypeError('x'), { code: 'ECONNRESET' }))],
    ['ours for what another side answered', behind(new Error('x'))],
    ['an end by signal', new DOMException('x', 'AbortError')],
    ['an end by signal of Node', Object.assign(new Error('x'), { name: 'AbortError', code: 'ABORT_ERR' })],
    ['ours for a fault that lies deeper than anybody looks', Array(10).fill(0).reduce(behind, new TypeError('x'))],
    ['no error at all', BODY],
  ])('knows none for %s', (_what, error) => {
    expect(framesOf(error)).toBeUndefined();
  });
});
