import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readKubeconfig } from '../../lib/kube/kubeconfig.ts';
import { createAuthority, type Issued } from '../lab/certificates.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('a kubeconfig', () => {
  let dir: string;
  let pair: Issued;
  let other: Issued;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'rolevend-kubeconfig-'));
    const authority = await createAuthority();
    [pair, other] = [await authority.issue('one'), await authority.issue('other')];
    await writeFile(join(dir, 'c.pem'), pair.cert);
    await writeFile(join(dir, 'k.pem'), pair.key);
  });

  afterAll(() => rm(dir, { recursive: true }));

  const write = async (content: unknown, name = 'config') => {
    const path = join(dir, name);
    await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
    return path;
  };
  const config = (cluster: object, user: object = {}) => ({
    'current-context': 'here',
    clusters: [{ name: 'c', cluster: { server: 'https://example.test:6443/base', ...cluster } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'here', context: { cluster: 'c', user: 'u' } }],
  });
  const oidc = (rest: object) => ({
    name: 'oidc',
    config: { 'idp-issuer-url': 'https://idp.test', 'client-id': 'kubernetes', ...rest },
  });
  const problem = (path: string) => {
    try {
      readKubeconfig(path);
      return undefined;
    } catch (error) {
      const { code, consequence, message } = error as { code: string; consequence: string; message: string };
      return { code, consequence, message: message.replaceAll(dir, 'DIR') };
    }
  };
  const invalid = (message: string) => ({ code: 'InvalidConfig', consequence: 'stop', message });
  const fix = 'give --kubeconfig or KUBECONFIG the path of a kubeconfig file that can be read';

  it('tells how to reach the server and how to log in', async () => {
    const path = await write(
      config(
        { 'certificate-authority-data': base64('CA'), 'tls-server-name': 'inner' },
        {
          'client-certificate-data': base64(pair.cert),
          'client-key-data': base64(pair.key),
          token: 'T\n',
          as: 'somebody',
        },
      ),
    );
    expect(readKubeconfig(path)).toEqual({
      server: 'https://example.test:6443/base',
      insecure: false,
      ca: { text: 'CA' },
      serverName: 'inner',
      clientCertificate: { certificate: { text: pair.cert }, key: { text: pair.key } },
      token: { text: 'T' },
      impersonate: { user: 'somebody', groups: [], extra: {} },
    });
  });

  it('names files relative to its own directory', async () => {
    const exec = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: './plugin',
      args: ['-x'],
      installHint: 'Install it.',
    };
    const read = async (cluster: object, user: object) => readKubeconfig(await write(config(cluster, user)));
    const server = 'https://example.test:6443/base';
    const files = { tokenFile: 'token', 'client-certificate': 'c.pem', 'client-key': join(dir, 'k.pem') };
    expect(await read({ 'certificate-authority': 'ca.pem' }, files)).toEqual({
      server,
      insecure: false,
      ca: { file: join(dir, 'ca.pem') },
      clientCertificate: { certificate: { file: join(dir, 'c.pem') }, key: { file: join(dir, 'k.pem') } },
      token: { file: join(dir, 'token') },
    });
    expect(await read({ 'insecure-skip-tls-verify': true }, { exec })).toEqual({
      server,
      insecure: true,
      exec: {
        apiVersion: exec.apiVersion,
        command: join(dir, 'plugin'),
        args: ['-x'],
        env: {},
        installHint: 'Install it.',
      },
    });
    const provider = oidc({ 'id-token': 'I', 'idp-certificate-authority': 'idp.pem' });
    expect((await read({}, { 'auth-provider': provider })).oidc?.ca).toEqual({ file: join(dir, 'idp.pem') });
  });

  it('tells of a proxy, and of whom to act as', async () => {
    const user = {
      as: 'somebody',
      'as-uid': '7',
      'as-groups': ['a', 'b'],
      'as-user-extra': { 'example.test/scopes': ['x', 'y'] },
    };
    expect(readKubeconfig(await write(config({ 'proxy-url': 'socks5://proxy.test' }, user)))).toEqual({
      server: 'https://example.test:6443/base',
      insecure: false,
      proxyUrl: 'socks5://proxy.test',
      impersonate: { user: 'somebody', uid: '7', groups: ['a', 'b'], extra: { 'example.test/scopes': ['x', 'y'] } },
    });
  });

  it('tells of a login at an OpenID Connect provider', async () => {
    const provider = oidc({
      'client-secret': 'S',
      'id-token': ' I\n',
      'refresh-token': 'R',
      'idp-certificate-authority-data': base64('CA'),
    });
    expect(readKubeconfig(await write(config({}, { 'auth-provider': provider }))).oidc).toEqual({
      issuer: 'https://idp.test',
      clientId: 'kubernetes',
      clientSecret: 'S',
      idToken: 'I',
      refreshToken: 'R',
      ca: { text: 'CA' },
    });
  });

  it('asks nobody for a login where the user has one, as in client-go', async () => {
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'plugin' };
    const provider = { 'auth-provider': oidc({ 'id-token': 'I' }) };
    const certificate = { 'client-certificate': 'c.pem', 'client-key': 'k.pem' };
    const logins = [
      { token: 'T', exec },
      { tokenFile: 'T', exec },
      { username: 'U', exec },
      { ...certificate, exec },
      { token: 'T', ...provider },
      { ...certificate, ...provider },
    ];
    const read = logins.map(async (user, index) => readKubeconfig(await write(config({}, user), `login-${index}`)));
    const kinds = (await Promise.all(read)).map((one) => Object.keys(one).slice(2).sort().join(' '));
    expect(kinds).toEqual(['token', 'token', 'basic', 'clientCertificate', 'token', 'clientCertificate oidc']);
  });

  it('tells a plugin of the cluster where the plugin asks for that', async () => {
    await write('CA', 'ca.pem');
    const extensions = [{ name: 'client.authentication.k8s.io/exec', extension: { audience: 'x' } }];
    const exec = {
      apiVersion: 'client.authentication.k8s.io/v1beta1',
      command: 'plugin',
      env: [{ name: 'A', value: 'b' }],
      provideClusterInfo: true,
    };
    const path = await write(config({ 'certificate-authority': 'ca.pem', extensions }, { exec }));
    expect(readKubeconfig(path).exec).toEqual({
      apiVersion: exec.apiVersion,
      command: 'plugin',
      args: [],
      env: { A: 'b' },
      cluster: {
        server: 'https://example.test:6443/base',
        'certificate-authority-data': base64('CA'),
        config: { audience: 'x' },
      },
    });
  });

  it('of several files takes each name from the first that has it', async () => {
    const first = await write({ clusters: [{ name: 'c', cluster: { server: 'https://first.test' } }] }, 'first');
    const second = await write(config({}, { token: 'second' }), 'second');
    expect(readKubeconfig([first, second].join(delimiter))).toMatchObject({
      server: 'https://first.test',
      token: { text: 'second' },
    });
  });

  it.each<[string, unknown, string]>([
    ['is empty', '', `is empty or no kubeconfig; ${fix}`],
    ['is no YAML', '{', `is no valid YAML; ${fix}`],
    ['is a list', [], `is empty or no kubeconfig; ${fix}`],
    ['is of another kind', { kind: 'Secret' }, `is of another kind than v1 Config; ${fix}`],
    ['has no lists', { clusters: 1 }, ': clusters is a number, and must be a list'],
    [
      'has no context',
      { ...config({}), 'current-context': '' },
      'has no current-context; set one with: kubectl config use-context NAME',
    ],
    [
      'has not this context',
      { ...config({}), contexts: [] },
      'has no context named "here", which its current-context asks for',
    ],
    [
      'has not this cluster',
      { ...config({}), clusters: [] },
      'has no cluster named "c", which its current-context asks for',
    ],
    ['has not this user', { ...config({}), users: [] }, 'has no user named "u", which its current-context asks for'],
    ['has no server', config({ server: 'example' }), ": the cluster's server must be an http or https URL"],
    [
      'has a server without a scheme',
      config({ server: 'example.test:6443' }),
      ": the cluster's server must be an http or https URL",
    ],
    [
      'holds a password in its server',
      config({ server: 'https://user:hunter2@example.test' }),
      ": the cluster's server holds user information; take it out, and give the user a login of its own",
    ],
    [
      'has a proxy of another kind',
      config({ 'proxy-url': 'proxy.test:3128' }),
      ': proxy-url must be an http, https or socks5 URL, such as http://proxy.example.com:3128',
    ],
    [
      'has a proxy without a host',
      config({ 'proxy-url': 'socks5://' }),
      ': proxy-url must be an http, https or socks5 URL, such as http://proxy.example.com:3128',
    ],
    [
      'checks nothing with an authority',
      config({ 'insecure-skip-tls-verify': true, 'certificate-authority': 'ca.pem' }),
      ': insecure-skip-tls-verify stands beside a certificate authority; take one of the two out',
    ],
    [
      'has two authorities',
      config({ 'certificate-authority-data': base64('CA'), 'certificate-authority': 'ca.pem' }),
      ': certificate-authority and certificate-authority-data stand side by side; take one of the two out',
    ],
    [
      'has half of a pair',
      config({}, { 'client-certificate': 'c.pem' }),
      ': client-certificate has no key; give its client-key or client-key-data, too',
    ],
    [
      'has a name with password beside a token',
      config({}, { token: 'T', username: 'U', password: 'hunter2' }),
      ': the user has a token and a name with password; take one of the two out',
    ],
    [
      'has a token of two lines',
      config({}, { token: 'hunter2\nhunter2' }),
      ': token holds blanks or other characters that no token has',
    ],
    ...[{ 'as-uid': '1' }, { 'as-groups': ['g'] }, { 'as-user-extra': { a: ['b'] } }].map(
      (user): [string, unknown, string] => [
        `has ${Object.keys(user)[0]} alone`,
        config({}, user),
        ': as-uid, as-groups and as-user-extra need a name in as; give it',
      ],
    ),
    [
      'acts as somebody with a line break',
      config({}, { as: 'a', 'as-groups': ['b\nc'] }),
      ': as, as-uid, as-groups or as-user-extra hold control characters',
    ],
    [
      'acts as somebody with a bell',
      config({}, { as: 'a\u0007' }),
      ': as, as-uid, as-groups or as-user-extra hold control characters',
    ],
    [
      'has another provider',
      config({}, { 'auth-provider': { name: 'gcp' } }),
      ': auth-provider gcp is not supported, only oidc; use an exec plugin instead',
    ],
    [
      'has a provider without issuer',
      config({}, { 'auth-provider': { name: 'oidc' } }),
      ': auth-provider oidc needs an https URL as idp-issuer-url',
    ],
    ...['http://idp.test', 'https://user:hunter2@idp.test'].map((issuer): [string, unknown, string] => [
      `has a provider at ${issuer}`,
      config({}, { 'auth-provider': oidc({ 'idp-issuer-url': issuer, 'id-token': 'x' }) }),
      ': auth-provider oidc needs an https URL as idp-issuer-url',
    ]),
    [
      'has a provider without client',
      config({}, { 'auth-provider': oidc({ 'client-id': '' }) }),
      ': auth-provider oidc needs a client-id',
    ],
    [
      'has a provider without tokens',
      config({}, { 'auth-provider': oidc({}) }),
      ': auth-provider oidc has neither an id-token nor a refresh-token; log in anew',
    ],
    [
      'has a plugin and a provider',
      config({}, { exec: { command: 'x' }, 'auth-provider': oidc({}) }),
      ': the user has an exec plugin and an auth-provider; take one of the two out',
    ],
    ['has a plugin without command', config({}, { exec: {} }), ': the exec plugin has no command'],
    [
      'has a plugin of an unknown version',
      config({}, { exec: { command: 'x', apiVersion: 'client.authentication.k8s.io/v1alpha1' } }),
      ': exec plugins must use client.authentication.k8s.io/v1 or v1beta1',
    ],
    [
      'has a plugin that needs a terminal',
      config({}, { exec: { command: 'x', apiVersion: 'client.authentication.k8s.io/v1', interactiveMode: 'Always' } }),
      ': the exec plugin x needs a terminal',
    ],
    [
      'has a plugin of an unknown mode',
      config({}, { exec: { command: 'x', apiVersion: 'client.authentication.k8s.io/v1', interactiveMode: 'Often' } }),
      ': interactiveMode of the exec plugin x must be Never or IfAvailable',
    ],
    [
      'gives a plugin a variable without name',
      config({}, { exec: { command: 'x', apiVersion: 'client.authentication.k8s.io/v1', env: [{ value: 'y' }] } }),
      ': a variable of the exec plugin x has no name',
    ],
  ])('that %s is refused with the path and the fix', async (_, content, message) => {
    const path = await write(content);
    expect(problem(path)).toEqual(invalid(`kubeconfig DIR/config${message.startsWith(':') ? '' : ' '}${message}`));
  });

  it.each<[string, string, string]>([
    ['a number', 'token: 0123', 'users[0].user.token is a number, and must be text; put it in quotes'],
    ['a number with lines', 'token: 1_000', 'users[0].user.token is a number, and must be text; put it in quotes'],
    ['yes', 'token: yes', 'users[0].user.token is a boolean, and must be text; put it in quotes'],
    ['a list', 'as: [a]', 'users[0].user.as is a list, and must be text'],
    ['a mapping', 'as: {}', 'users[0].user.as is a mapping, and must be text'],
    ['one group', 'as-groups: g', 'users[0].user.as-groups is a text, and must be a list'],
    ['no group', 'as-groups: [null]', 'users[0].user.as-groups[0] is empty'],
    ['a text for many', 'as-user-extra: {a: b}', 'users[0].user.as-user-extra.a is a text, and must be a list'],
    ['a text for a mapping', 'exec: plugin', 'users[0].user.exec is a text, and must be a mapping'],
    [
      'a number for a plugin',
      'exec: {args: [1]}',
      'users[0].user.exec.args[0] is a number, and must be text; put it in quotes',
    ],
    [
      'a port for a plugin',
      'exec: {env: [{name: PORT, value: 8080}]}',
      'users[0].user.exec.env[0].value is a number, and must be text; put it in quotes',
    ],
    [
      'a number of a provider',
      'auth-provider: {config: {client-id: 7}}',
      'users[0].user.auth-provider.config.client-id is a number, and must be text; put it in quotes',
    ],
    [
      'no base64',
      'client-key-data: -----BEGIN',
      'users[0].user.client-key-data is no base64; take it anew from where it was issued',
    ],
    [
      'a word for true or false',
      'exec: {provideClusterInfo: "yes"}',
      'users[0].user.exec.provideClusterInfo is a text, and must be true or false',
    ],
    [
      'base64 that was cut off',
      `client-key-data: ${base64('key').slice(0, -1)}`,
      'users[0].user.client-key-data is no base64; take it anew from where it was issued',
    ],
  ])('that holds %s where something else must be is refused', async (_, user, message) => {
    const path = await write(`users: [{name: u, user: {${user}}}]`);
    expect(problem(path)).toEqual(invalid(`kubeconfig DIR/config: ${message}`));
  });

  it('takes words for truth, and times and dates for text, as kubectl does', async () => {
    const path = await write(`
      clusters: [{ name: c, cluster: { server: "https://example.test", insecure-skip-tls-verify: yes } }]
      users: [{ name: u, user: { token: 2026-01-01, as: 12:34:56, as-uid: 1:30.5, unknown: 1 } }]
      contexts: [{ name: here, context: { cluster: c, user: u } }]
      current-context: here`);
    expect(readKubeconfig(path)).toEqual({
      server: 'https://example.test',
      insecure: true,
      token: { text: '2026-01-01' },
      impersonate: { user: '12:34:56', uid: '1:30.5', groups: [], extra: {} },
    });
  });

  it('may break its base64 into lines', async () => {
    const data = base64('certificate of an authority');
    const path = await write(config({ 'certificate-authority-data': `${data.slice(0, 9)}\n${data.slice(9)}\r\n` }));
    expect(readKubeconfig(path).ca).toEqual({ text: 'certificate of an authority' });
  });

  it('whose certificate and key do not belong together is refused with both files', async () => {
    const key = await write(other.key, 'other.pem');
    const files = await write(config({}, { 'client-certificate': 'c.pem', 'client-key': key }));
    const fixed = 'the key is that of another certificate; give a pair without password';
    expect(problem(files)).toEqual(
      invalid(
        `kubeconfig DIR/config: the client certificate (DIR/c.pem, DIR/other.pem) cannot be used, since ${fixed}`,
      ),
    );
    const data = { 'client-certificate-data': base64(pair.cert), 'client-key-data': base64(other.key) };
    expect(problem(await write(config({}, data)))).toEqual(
      invalid(`kubeconfig DIR/config: the client certificate cannot be used, since ${fixed}`),
    );
  });

  it('that is missing is refused with the path and the fix', () => {
    expect(problem(join(dir, 'missing'))).toEqual(invalid(`kubeconfig DIR/missing cannot be read (ENOENT); ${fix}`));
  });

  it('of several files has the current context of the first that names one', async () => {
    const first = await write({ ...config({}), 'current-context': '' }, 'first');
    const second = await write(config({}, { token: 'T' }), 'second');
    const third = await write({ ...config({}), 'current-context': 'elsewhere' }, 'third');
    expect(readKubeconfig([first, second, third].join(delimiter)).server).toBe('https://example.test:6443/base');
  });

  it('of several files is not left out where nobody can look at it', async () => {
    const loop = join(dir, 'loop');
    await symlink(loop, loop);
    const path = await write(config({}));
    expect(problem([loop, path].join(delimiter))).toEqual(
      invalid(`kubeconfig DIR/loop cannot be read (ELOOP); ${fix}`),
    );
  });

  it('of several files may be missing, but not every one', async () => {
    const [a, b] = [join(dir, 'absent-a'), join(dir, 'absent-b')];
    const path = await write(config({}, { token: 'T' }));
    expect(readKubeconfig([a, path, b].join(delimiter))).toEqual(readKubeconfig(path));
    const all = ['DIR/absent-a', 'DIR/absent-b'].join(delimiter);
    expect(problem([a, b].join(delimiter))).toEqual(invalid(`kubeconfig ${all} cannot be read (ENOENT); ${fix}`));
  });
});
