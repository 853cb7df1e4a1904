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

describe('the frames of an error', () => {
  const fault = new TypeError(BODY);
  const here = expect.stringMatching(/log\.spec\.ts:\d+:\d+$/);

  it.each<[string, (log: Logger) => void, object]>([
    ['as err', (log) => log.error({ err: fault }, 'failed'), { err: 'TypeError', msg: 'failed' }],
    ['alone', (log) => log.error(fault), { err: 'TypeError', msg: 'TypeError' }],
    [
      'under another name',
      (log) => log.warn({ problem: fault, a: 1 }, 'failed'),
      { problem: 'TypeError', a: 1, msg: 'failed' },
    ],
  ])('stand beside one that nobody foresaw, given %s', (_what, write, expected) => {
    expect(entries(write)).toEqual([expect.objectContaining({ ...expected, frames: expect.arrayContaining([here]) })]);
    expect(lines(write).join()).not.toContain(BODY);
  });

  it('are left out where the error says all, and where there is none', () => {
    const known = new RolevendError('no grant', { code: 'GrantDenied', consequence: 'stop' });
    const written = entries((log) => {
      log.error({ err: known, more: { a: 1 } }, 'failed');
      log.error({ err: BODY }, 'failed');
      log.info('fine');
    });
    expect(written.map(({ level: _level, time: _time, ...rest }) => rest)).toEqual([
      { err: 'GrantDenied: no grant', more: { a: 1 }, msg: 'failed' },
      { err: 'string', msg: 'failed' },
      { msg: 'fine' },
    ]);
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
