import {
  AssumeRoleCommand,
  AssumeRoleWithWebIdentityCommand,
  GetCallerIdentityCommand,
  STSClient,
} from '@aws-sdk/client-sts';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { StsClient, type StsContext } from '../../lib/aws/sts-client.ts';
import { type Action, type Inputs, StsProtocol } from '../../lib/aws/sts-protocol.ts';
import { Transport } from '../../lib/aws/transport.ts';
import { systemClock } from '../../lib/clock.ts';
import { exchange } from '../../lib/exchange.ts';
import { createLogger } from '../../lib/log.ts';
import { createMetrics } from '../../lib/metrics.ts';
import { callerXml, errorXml, type StubAws, sessionXml, stubAws } from './stub-aws.ts';

const REGION = 'eu-west-1';
const credentials = { accessKeyId: 'AKIA1', secretAccessKey: 'secret', sessionToken: 'token' };
const role = { RoleArn: 'arn:aws:iam::123456789012:role/a/b', RoleSessionName: 'me@x', DurationSeconds: 900 };

let stub: StubAws;
let transport: Transport;
let sdk: STSClient;

beforeEach(async () => {
  stub = await stubAws();
  const log = createLogger({ level: 'error' });
  const aws = { region: REGION, endpoint: stub.endpoint };
  transport = new Transport({ aws, clock: systemClock, log, metrics: createMetrics() });
  sdk = new STSClient({ region: REGION, endpoint: stub.endpoint, credentials, maxAttempts: 1 });
  sdk.middlewareStack.addRelativeTo(withoutTelling as never, {
    relation: 'before',
    toMiddleware: 'httpSigningMiddleware',
  });
});
afterEach(async () => {
  jest.restoreAllMocks();
  sdk.destroy();
  await transport.close();
  await stub.close();
});

/** Leaves out the headers that tell about the client and the try, and nothing that is asked for; they would be signed. */
const withoutTelling =
  (next: (args: object) => unknown) => (args: { request: { headers: Record<string, string> } }) => {
    const { headers } = args.request;
    for (const name of Object.keys(headers)) if (/^amz-sdk-|user-agent$/.test(name)) delete headers[name];
    return next(args);
  };

function ask<A extends Action>(action: A, input: Inputs[A]) {
  const context = { service: 'STS', operation: action, region: REGION } as StsContext<A>;
  const signed = action === 'AssumeRoleWithWebIdentity' ? undefined : credentials;
  return new StsClient(transport).ask(context, input, signed, undefined);
}

function send(action: Action, input: object): Promise<object> {
  if (action === 'AssumeRole') return sdk.send(new AssumeRoleCommand(input as Inputs['AssumeRole']));
  if (action === 'GetCallerIdentity') return sdk.send(new GetCallerIdentityCommand(input));
  return sdk.send(new AssumeRoleWithWebIdentityCommand(input as Inputs['AssumeRoleWithWebIdentity']));
}

/** Answers every request with this text. */
function answer(text: string, status = 200, type = 'text/xml'): void {
  stub.answer((_body, response) => {
    response.statusCode = status;
    response.setHeader('content-type', type);
    response.end(text);
  });
}

describe('a request is, byte for byte and with its signature, the one of the SDK', () => {
  it.each<[Action, object]>([
    ['GetCallerIdentity', {}],
    ['AssumeRole', role],
    [
      'AssumeRole',
      {
        ...role,
        Policy: '{"a": "ü & = +\n%~!\'()*"}',
        ExternalId: undefined,
        PolicyArns: [{ arn: 'arn:1' }, { arn: 'arn:2' }],
        Tags: [{ Key: 'team', Value: 'a b' }],
        TransitiveTagKeys: ['team'],
        SourceIdentity: 'someone',
      },
    ],
    ['AssumeRoleWithWebIdentity', { ...role, WebIdentityToken: 'a.b.c' }],
  ])('%s with %j', async (action, input) => {
    // Else one may sign in the next second.
    jest.spyOn(Date, 'now').mockReturnValue(Date.parse('2026-03-01T10:00:00Z'));
    answer(`<${action}Response></${action}Response>`);
    await ask(action, input as Inputs[Action]).catch(() => {});
    await send(action, input);
    const [ours, theirs] = stub.heads.map(({ method, url, headers }, index) => {
      const { 'user-agent': agent, connection: _, ...rest } = headers;
      return { agent, sent: { method, url, headers: rest, body: stub.requests[index] } };
    });
    expect(ours?.agent).toBe('rolevend');
    expect(ours?.sent).toEqual(theirs?.sent);
    expect(ours?.sent.headers.authorization !== undefined).toBe(action !== 'AssumeRoleWithWebIdentity');
  });
});

describe('an answer says what it says to the SDK', () => {
  /** What was given or thrown, as far as somebody reads it. */
  const read = (given: Promise<unknown>) =>
    given.then(
      (output) => ({ output }),
      ({ name, message, Code, $metadata }: Error & { Code?: string; $metadata?: object }) => ({
        name,
        message: message.split('\n')[0],
        Code,
        $metadata: { ...$metadata, attempts: 1, totalRetryDelay: 0 },
      }),
    );

  async function output(action: Action): Promise<unknown> {
    const protocol = new StsProtocol();
    const { path, headers, body } = await protocol.request(action, role, new URL(stub.endpoint));
    const request = { origin: stub.endpoint, path, method: 'POST' as const, headers, body };
    return protocol.output(action, await exchange(transport.dispatcher, request, new AbortController().signal));
  }

  const end = '2099-01-01T00:00:00Z';
  const withEntities = sessionXml('AssumeRole', end).replace('t0ken', 'a&lt;b&gt;&amp;&quot;&apos;&#x41;&#66;+/=');
  it.each<[string, string, number, Action?]>([
    ['a session', sessionXml('AssumeRole', end), 200],
    ['a session of a web identity', sessionXml('AssumeRoleWithWebIdentity', end), 200, 'AssumeRoleWithWebIdentity'],
    ['a session with what XML escapes', `<?xml version="1.0"?>\n  ${withEntities}\n`, 200],
    ['a session without a time', sessionXml('AssumeRole', 'soon'), 200],
    ['a caller', callerXml('arn:aws:iam::123456789012:user/ci'), 200, 'GetCallerIdentity'],
    ['another action', callerXml('arn:aws:iam::123456789012:user/ci'), 200],
    ['half a session', sessionXml('AssumeRole', end).slice(0, 400), 200],
    ['a page', '<html><body><b>Sign in</b></body></html>', 200],
    ['nothing', '', 200],
    ['no XML', '{"hello":', 200],
    ['a code that the SDK knows', errorXml('MalformedPolicyDocument', 'The policy &quot;x&quot;'), 400],
    ['a code that it knows by another name', errorXml('IDPCommunicationError'), 400],
    ['a code that it does not know', errorXml('AccessDenied', 'User: x is not authorized'), 403],
    ['a throttle', errorXml('Throttling', 'Rate exceeded'), 400],
    ['a code of a server in trouble', errorXml('InternalFailure'), 500],
    ['an error without a code', '<ErrorResponse><Error></Error></ErrorResponse>', 400],
    ['a page of an error', '<html><body><b>Bad gateway</b></body></html>', 502],
    ['a page that is not there', '<html></html>', 404],
    ['a page that is no XML', '<html><br></html>', 502],
    ['no text at all', '', 503],
    ['an error that is no XML', 'upstream connect error', 503],
    ['another place', '', 302],
  ])('%s', async (_what, text, status, action = 'AssumeRole') => {
    answer(text, status);
    const ours = await read(output(action));
    const theirs = await read(send(action, role));
    const metadata = { attempts: 1, totalRetryDelay: 0 };
    expect(withMetadata(ours, metadata)).toEqual(withMetadata(theirs, metadata));
  });
});

/** The SDK's retries, which are off, add what they did to each output. */
function withMetadata(read: object, metadata: object): object {
  const { output } = read as { output?: { $metadata?: object } };
  return output === undefined ? read : { output: { ...output, $metadata: { ...output.$metadata, ...metadata } } };
}

describe('an answer', () => {
  it('is told with the id of the request and the time of the server', async () => {
    answer(callerXml('arn:aws:iam::123456789012:user/ci'));
    const { output, requestId, date } = await ask('GetCallerIdentity', {});
    expect({ output, requestId }).toEqual({
      output: expect.objectContaining({ Arn: 'arn:aws:iam::123456789012:user/ci', Account: '123456789012' }),
      requestId: 'req-1',
    });
    expect(date % 1000).toBe(0);
  });

  it('that refuses tells its code and request id, and nothing of its text', async () => {
    answer(errorXml('MalformedPolicyDocument', 'The policy &quot;s3cret&quot; is no policy'), 400);
    const error = await ask('AssumeRole', role).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'MalformedPolicyDocument', consequence: 'stop', requestId: 'req-1' });
    expect(String((error as Error).stack)).not.toContain('s3cret');
  });

  it.each([
    ['is cut off', '<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA</AccessKeyId>', 200],
    ['leads elsewhere', '<AssumeRoleResponse></AssumeRoleResponse>', 302],
    ['is a page that is not there', '<html></html>', 404],
    ['is a page', '<html><body><b>Sign in</b></body></html>', 200],
    ['is that of another action', callerXml('arn:aws:iam::123456789012:user/ci'), 200],
    ['is empty', '', 200],
  ])('that %s is none, and is told with its status and media type', async (_what, text, status) => {
    answer(text, status, 'text/html; charset=utf-8');
    await expect(ask('AssumeRole', role)).rejects.toMatchObject({
      code: 'StsUnreachable',
      consequence: 'retry',
      message: expect.stringContaining(`(StsUnreachable, HTTP ${status}, text/html, request id req-1)`),
    });
  });
});

it('each request is signed with its own credentials and for its own Region', async () => {
  answer(callerXml('arn:aws:iam::123456789012:user/ci'));
  const client = new StsClient(transport);
  const context: StsContext<'GetCallerIdentity'> = { service: 'STS', operation: 'GetCallerIdentity', region: REGION };
  await client.ask(context, {}, credentials, undefined);
  await client.ask(context, {}, { ...credentials, accessKeyId: 'AKIA2' }, undefined);
  await client.ask({ ...context, region: 'eu-west-2' }, {}, credentials, undefined);
  const signers = stub.heads.map(({ headers }) =>
    /Credential=(\w+)\/\d{8}\/([\w-]+)\//.exec(headers.authorization ?? ''),
  );
  expect(signers.map((signer) => signer?.slice(1))).toEqual([
    ['AKIA1', 'eu-west-1'],
    ['AKIA2', 'eu-west-1'],
    ['AKIA1', 'eu-west-2'],
  ]);
});
