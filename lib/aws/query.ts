import { type Answer as Exchanged, exchange, type Head } from '../exchange.ts';
import { type Endpoint, stsEndpoint } from './endpoint.ts';
import type { AwsContext } from './errors.ts';
import type { BaseCredentials } from './options.ts';
import { RequestSigner } from './signature.ts';
import type { Answer, Call, Received, Transport } from './transport.ts';

/** Parameters of an action as the service names them; lists and maps become `Tags.member.1.Key`. */
export type Parameters = Readonly<Record<string, Parameter>>;
type Parameter = string | number | readonly (string | Readonly<Record<string, string>>)[] | undefined;

/** What an action answered: the text of each element that holds no other one, by its name. */
export type Values = Readonly<Record<string, string>>;

const CONTENT_TYPE = 'application/x-www-form-urlencoded';
const VERSION = '2011-06-15';

/**
 * Asks STS in its own protocol, AWS Query: a form, signed, and an answer in XML
 * (https://docs.aws.amazon.com/STS/latest/APIReference/CommonParameters.html). It stands in for the AWS SDK, which takes
 * twice the processor time for a call, and so took a fourth of what an issue costs. Endpoints are those of the SDK.
 */
export class QueryClient {
  readonly #transport: Transport;
  readonly #signer = new RequestSigner();
  readonly #endpoints = new Map<string, Promise<Endpoint>>();

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * Takes the action that the context names, in its Region; without credentials unsigned. One request, never repeated but
   * for a wrong clock.
   * @throws AwsError, or the signal's reason when it aborts
   */
  ask(
    context: AwsContext,
    parameters: Parameters,
    credentials: BaseCredentials | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Answer<Values>> {
    const { operation, region } = context;
    const body = String(new URLSearchParams([['Action', operation], ['Version', VERSION], ...pairs(parameters)]));
    const send: Call<Values>['send'] = async (limited, course) => {
      const { url, scope } = await this.#endpoint(region);
      const { dispatcher, now } = this.#transport;
      const plain = { 'content-type': CONTENT_TYPE, 'user-agent': 'rolevend' };
      const signed =
        credentials && this.#signer.headers({ url, contentType: CONTENT_TYPE, body }, credentials, scope, now);
      const request = {
        origin: url.origin,
        path: url.pathname,
        method: 'POST',
        headers: { ...plain, ...signed },
        body,
        headersTimeout: 0,
        bodyTimeout: 0,
      };
      const onHead = ({ headers }: Head) => {
        course.answered(headers.date);
        return undefined;
      };
      return received(operation, await exchange(dispatcher, request, limited, { mayStart: course.sent, onHead }));
    };
    return this.#transport.call({ context, send }, signal);
  }

  /** Settings that the SDK does not accept are read anew each time. */
  #endpoint(region: string): Promise<Endpoint> {
    const known = this.#endpoints.get(region);
    if (known !== undefined) return known;
    const found = stsEndpoint(this.#transport.clientConfig(region));
    this.#endpoints.set(region, found);
    found.catch(() => this.#endpoints.delete(region));
    return found;
  }
}

/** Throws what was no success in the shape of the SDK's errors, for `awsError`. */
function received(operation: string, { statusCode, headers, text }: Exchanged): Received<Values> {
  const xml = text();
  const output = leavesOf(xml);
  const requestId = headers['x-amzn-requestid']?.toString() ?? output['RequestId'];
  const isWhole = xml.trimEnd().endsWith(`</${operation}Response>`);
  if (statusCode >= 200 && statusCode < 300 && isWhole) return { output, requestId };
  throw new QueryError(output['Code'], output['Message'], { httpStatusCode: statusCode, requestId });
}

/** An answer that is no success. Its text is the service's own, and shown to nobody. */
class QueryError extends Error {
  readonly $metadata: { httpStatusCode: number; requestId: string | undefined };

  constructor(code = 'UnknownError', message: string | undefined, metadata: QueryError['$metadata']) {
    super(message);
    this.name = code;
    this.$metadata = metadata;
  }
}

function pairs(parameters: Parameters): [string, string][] {
  return Object.entries(parameters).flatMap(([name, value]): [string, string][] => {
    if (value === undefined) return [];
    if (typeof value !== 'object') return [[name, String(value)]];
    return value.flatMap((item, index) => {
      const member = `${name}.member.${index + 1}`;
      if (typeof item === 'string') return [[member, item] as [string, string]];
      return Object.entries(item).map(([key, text]): [string, string] => [`${member}.${key}`, text]);
    });
  });
}

/** What an answer tells is in elements without others, whose names are unlike within it. Its order does not matter. */
function leavesOf(xml: string): Record<string, string> {
  const leaves = [...xml.matchAll(/<(\w+)(?:\s[^<>]*)?>([^<]*)<\/\1>/g)];
  return Object.fromEntries(leaves.map(([, name = '', text = '']) => [name, unescaped(text)]));
}

const entities = new Map(Object.entries({ amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }));

function unescaped(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex?: string, decimal?: string, name?: string) => {
    if (name !== undefined) return entities.get(name) ?? whole;
    return String.fromCodePoint(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16));
  });
}
