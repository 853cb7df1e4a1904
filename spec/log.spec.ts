import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { RolevendError } from '../lib/errors.ts';
import { createLogger, type Logger, type LogOptions } from '../lib/log.ts';

const BODY = 'request body with a token';
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

function lines(write: (log: Logger) => void, options: LogOptions = {}): string[] {
  const written: string[] = [];
  write(createLogger({ ...options, destination: { write: (line) => void written.push(line) } }));
  return written;
}
const entries = (write: (log: Logger) => void, options: LogOptions = {}) =>
  lines(write, options).map((line) => JSON.parse(line) as Record<string, unknown>);

describe('a log in JSON', () => {
  it('is one object a line with time, level and message, and nothing of the machine', () => {
    expect(entries((log) => log.info({ object: 'team/app' }, 'credential issued'))).toEqual([
      { level: 'info', time: expect.stringMatching(TIME), object: 'team/app', msg: 'credential issued' },
    ]);
    expect(lines((log) => log.info('x'))[0]).toMatch(/^\{.*\}\n$/);
  });

  it('leaves out what is below its level', () => {
    const all = (log: Logger) => {
      for (const level of ['debug', 'info', 'warn', 'error'] as const) log[level](level);
    };
    expect(
      [entries(all), entries(all, { level: 'warn' }), entries(all, { level: 'debug' })].map((found) =>
        found.map(({ msg }) => msg),
      ),
    ).toEqual([
      ['info', 'warn', 'error'],
      ['warn', 'error'],
      ['debug', 'info', 'warn', 'error'],
    ]);
  });
});

describe('a log for people', () => {
  it('is one line of time, level, message and fields', () => {
    const [line] = lines((log) => log.warn({ object: 'team/app', attempt: 2, more: { a: 1 } }, 'no credential'), {
      format: 'text',
    });
    expect(line).toMatch(/^\d{4}-\S+Z WARN {2}no credential object=team\/app attempt=2 more=\{"a":1\}\n$/);
  });
});

describe('errors in a log', () => {
  const foreign = Object.assign(new Error(BODY), { code: 'ECONNRESET', body: BODY, cause: new Error(BODY) });

  it.each<[string, unknown, string]>([
    [
      'ours: code and message',
      new RolevendError('no grant', { code: 'GrantDenied', consequence: 'stop' }),
      'GrantDenied: no grant',
    ],
    ['foreign: name and code', foreign, 'Error (ECONNRESET)'],
    ['an end by signal', new DOMException(BODY, 'AbortError'), 'aborted'],
    ['no error at all', BODY, 'string'],
  ])('are reduced: %s', (_what, err, expected) => {
    expect(entries((log) => log.error({ err }, 'failed'))).toEqual([
      expect.objectContaining({ err: expected, msg: 'failed' }),
    ]);
  });

  it('never bring a foreign text in, however they are given', () => {
    const ways: ((log: Logger) => void)[] = [
      (log) => log.error(foreign),
      (log) => log.error({ err: foreign }),
      (log) => log.error(foreign, 'failed'),
      (log) => log.child({ err: foreign }).error('failed'),
    ];
    for (const format of ['json', 'text'] as const) {
      const written = ways.flatMap((way) => lines(way, { format }));
      expect(written).toHaveLength(ways.length);
      expect(written.filter((line) => line.includes(BODY))).toEqual([]);
      expect(written.filter((line) => !line.includes('ECONNRESET'))).toEqual([]);
    }
  });
});

describe('without a destination', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('goes to standard error', () => {
    const write = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
    createLogger().info('hello');
    expect(write.mock.calls.map(([line]) => (JSON.parse(String(line)) as { msg: string }).msg)).toEqual(['hello']);
  });
});
