import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { argv, ConfigError, controllerConfig, controllerFlags, environment } from '../lib/config.ts';

type Texts = Record<string, string>;
const inRegion = { AWS_REGION: 'eu-west-1' };

/** The lines of the error that these flags and variables give, none where they are accepted. */
function problems(given: Texts, env: Texts = inRegion): string[] {
  try {
    controllerConfig(given, env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
}

describe('the configuration', () => {
  it('has a default for everything but the Region', () => {
    expect(controllerConfig({}, inRegion)).toEqual({
      namespaces: [],
      controllers: ['aws-assume-role'],
      leaderElect: true,
      leaderElectionName: 'rolevend-controller',
      metricsBindAddress: ':8080',
      healthProbeBindAddress: ':8081',
      region: 'eu-west-1',
      concurrency: 64,
      stsQps: 200,
      stsBurst: 500,
      stsWebIdentityQps: 20,
      objectMetrics: true,
      logLevel: 'info',
      logFormat: 'json',
    });
  });

  it('takes every flag', () => {
    const given = {
      kubeconfig: '/k',
      namespaces: 'a, b,a',
      controllers: 'aws-assume-role',
      'leader-elect': 'false',
      'leader-election-name': 'vend.one',
      'leader-election-namespace': 'ops',
      'pod-uid': '0d0f5c3e-5e2c-4ef5-8a0b-3f2d1c0b9a87',
      'metrics-bind-address': '127.0.0.1:0',
      'health-probe-bind-address': '0',
      'cluster-name': 'Prod_1.eu-a',
      region: 'us-gov-west-1',
      concurrency: '1',
      'sts-qps': '0.5e0',
      'sts-burst': '100000',
      'sts-web-identity-qps': '2.5',
      'object-metrics': 'false',
      'log-level': 'debug',
      'log-format': 'text',
    };
    expect(controllerConfig({ ...given, 'sts-qps': '1.5' }, {})).toEqual({
      kubeconfig: '/k',
      namespaces: ['a', 'b'],
      controllers: ['aws-assume-role'],
      leaderElect: false,
      leaderElectionName: 'vend.one',
      leaderElectionNamespace: 'ops',
      podUid: '0d0f5c3e-5e2c-4ef5-8a0b-3f2d1c0b9a87',
      metricsBindAddress: '127.0.0.1:0',
      healthProbeBindAddress: '0',
      clusterName: 'Prod_1.eu-a',
      region: 'us-gov-west-1',
      concurrency: 1,
      stsQps: 1.5,
      stsBurst: 100_000,
      stsWebIdentityQps: 2.5,
      objectMetrics: false,
      logLevel: 'debug',
      logFormat: 'text',
    });
    expect(Object.keys(given)).toEqual(controllerFlags.map(({ name }) => name));
    expect(problems(given)).toEqual(['--sts-qps: "0.5e0" is not accepted; give a number from 1 to 10000']);
  });

  it('takes the flag before the variable and the variable before the default', () => {
    const env = { ...inRegion, ROLEVEND_CONCURRENCY: '5', ROLEVEND_STS_BURST: '7' };
    expect(controllerConfig({ concurrency: '3' }, env)).toMatchObject({ concurrency: 3, stsBurst: 7, stsQps: 200 });
  });

  it('takes an empty variable as not set', () => {
    const env = { ...inRegion, ROLEVEND_CONCURRENCY: '', KUBECONFIG: '' };
    expect(controllerConfig({}, env)).toEqual(controllerConfig({}, inRegion));
  });

  it('reads the variables of the process where none are handed over', () => {
    const { region } = controllerConfig({ region: 'eu-west-1', kubeconfig: '/k', namespaces: '' });
    expect([region, environment, argv]).toEqual(['eu-west-1', process.env, process.argv]);
  });
});

describe('the Region', () => {
  it.each<[string, Texts, Texts, string]>([
    ['the flag', { region: 'eu-west-3' }, { AWS_REGION: 'eu-west-1', AWS_DEFAULT_REGION: 'eu-west-2' }, 'eu-west-3'],
    ['AWS_REGION', {}, { AWS_REGION: 'eu-west-1', AWS_DEFAULT_REGION: 'eu-west-2' }, 'eu-west-1'],
    ['AWS_DEFAULT_REGION', {}, { AWS_REGION: '', AWS_DEFAULT_REGION: 'eu-west-2' }, 'eu-west-2'],
  ])('comes from %s', (_what, given, env, region) => {
    expect(controllerConfig(given, env).region).toBe(region);
  });

  it('must be given, and the error says how', () => {
    expect(problems({}, {})).toEqual([
      '--region: no Region is given; set it, or AWS_REGION, to the Region whose STS is to be called',
    ]);
  });

  it.each(['eu', 'eu-west', 'eu-west-123', 'EU-WEST-1', 'eu-west-1.evil.example', 'e-1', ''])(
    'may not be %p',
    (region) => {
      expect(problems({ region })).toEqual([
        `--region: "${region}" is not accepted; give the name of a Region, e.g. eu-central-1`,
      ]);
    },
  );

  it('of the environment is named by its variable and its flag, once', () => {
    expect(problems({}, { AWS_REGION: 'x' })).toEqual([
      'AWS_REGION (flag --region): "x" is not accepted; give the name of a Region, e.g. eu-central-1',
    ]);
  });
});

describe('a bad value', () => {
  it.each<[string, string[], string[]]>([
    ['kubeconfig', ['/a', 'b'], ['']],
    ['namespaces', ['', ' ', 'a', 'a,b', ' a , b '], ['A', 'a,', ',', 'a b', '-a', 'a/b', 'x'.repeat(64)]],
    ['controllers', ['aws-assume-role', 'aws-assume-role,aws-assume-role'], ['', ' ', 'all', 'aws-assume-role,x']],
    ['leader-elect', ['true', 'false'], ['', 'yes', '1', 'TRUE']],
    ['leader-election-namespace', ['a', 'a-1'], ['', 'A', 'a.b']],
    [
      'metrics-bind-address',
      ['0', ':0', ':65535', '127.0.0.1:1', '[::1]:80', 'localhost:80'],
      ['', '80', ':65536', ':', 'a:b', '1', '::1:80'],
    ],
    ['health-probe-bind-address', ['0', ':8081'], ['off', ':-1']],
    ['cluster-name', ['a', 'x'.repeat(100), 'A.b_c-1'], ['', 'a b', 'x'.repeat(101), 'a/b', 'ä']],
    ['concurrency', ['1', '1000'], ['0', '1001', '1.5', '', ' 1', '1e2', '-1', 'NaN', 'Infinity']],
    ['sts-qps', ['1', '1.5', '10000'], ['0.9', '10001', '.5', '1.', '0x1']],
    ['sts-burst', ['1', '100000'], ['0', '100001', '1.5']],
    ['sts-web-identity-qps', ['1', '20', '10000'], ['0', '10001']],
    ['object-metrics', ['true', 'false'], ['on']],
    ['log-level', ['debug', 'info', 'warn', 'error'], ['trace', 'INFO', '']],
    ['log-format', ['json', 'text'], ['xml', '']],
  ])('of --%s is told with what is accepted', (name, good, bad) => {
    const { accepts } = controllerFlags.find((flag) => flag.name === name) ?? { accepts: '' };
    expect(good.flatMap((text) => problems({ [name]: text }))).toEqual([]);
    expect(bad.flatMap((text) => problems({ [name]: text }))).toEqual(
      bad.map((text) => `--${name}: "${text}" is not accepted; give ${accepts}`),
    );
  });

  it('does not hide the others', () => {
    const env = { ...inRegion, ROLEVEND_LOG_FORMAT: 'xml' };
    expect(problems({ concurrency: '0', 'log-level': 'loud' }, env)).toEqual([
      '--concurrency: "0" is not accepted; give a whole number from 1 to 1000',
      '--log-level: "loud" is not accepted; give one of debug, info, warn, error',
      'ROLEVEND_LOG_FORMAT (flag --log-format): "xml" is not accepted; give one of json, text',
    ]);
  });

  it('does not hide a missing Region', () => {
    expect(problems({ concurrency: '0' }, {})).toHaveLength(2);
  });

  it('stops the process as a wrong configuration', () => {
    expect(() => controllerConfig({ concurrency: '0' }, inRegion)).toThrow(
      expect.objectContaining({ code: 'InvalidConfig', consequence: 'stop', name: 'ConfigError' }),
    );
  });
});

describe('every flag', () => {
  it('is named, described and says what it accepts', () => {
    for (const flag of controllerFlags) {
      expect(flag.name).toMatch(/^[a-z]+(-[a-z]+)*$/);
      expect(flag.description).toMatch(/^[^.]+[^.]$/);
      expect(flag.env).toMatch(/^(ROLEVEND_[A-Z_]+|KUBECONFIG|AWS_REGION)$/);
      expect([flag.accepts, flag.value]).not.toContain('');
    }
    expect(new Set(controllerFlags.map(({ name }) => name)).size).toBe(controllerFlags.length);
    expect(new Set(controllerFlags.map(({ env }) => env)).size).toBe(controllerFlags.length);
  });

  it('accepts its own default', () => {
    const defaults = controllerFlags.filter((flag) => flag.default !== undefined);
    expect(defaults.filter((flag) => flag.parse(flag.default ?? '') === undefined)).toEqual([]);
  });

  it('takes any text without throwing anything but a ConfigError', () => {
    const anyGiven = fc.dictionary(fc.constantFrom(...controllerFlags.map(({ name }) => name)), fc.string());
    fc.assert(
      fc.property(anyGiven, (given) => {
        expect(problems(given).every((line) => line.includes('is not accepted'))).toBe(true);
      }),
    );
  });
});
