import {
  AssumeRole$,
  type AssumeRoleCommandOutput,
  type AssumeRoleRequest,
  AssumeRoleWithWebIdentity$,
  type AssumeRoleWithWebIdentityCommandOutput,
  type AssumeRoleWithWebIdentityRequest,
  GetCallerIdentity$,
  type GetCallerIdentityCommandOutput,
  type GetCallerIdentityRequest,
  STSClient,
} from '@aws-sdk/client-sts';
import { type HttpRequest, HttpResponse } from '@smithy/core/protocols';
import { operation } from '@smithy/core/schema';
import type { Answer } from '../exchange.ts';

/** The actions of STS that are taken here, with what they are given. */
export interface Inputs {
  AssumeRole: AssumeRoleRequest;
  AssumeRoleWithWebIdentity: AssumeRoleWithWebIdentityRequest;
  GetCallerIdentity: GetCallerIdentityRequest;
}

/** What the actions answer. */
export interface Outputs {
  AssumeRole: AssumeRoleCommandOutput;
  AssumeRoleWithWebIdentity: AssumeRoleWithWebIdentityCommandOutput;
  GetCallerIdentity: GetCallerIdentityCommandOutput;
}

export type Action = keyof Inputs;

/** The protocol of an SDK client; its types leave open whether it is made yet. */
interface Protocol {
  serializeRequest(schema: object, input: object, context: object): Promise<HttpRequest>;
  deserializeResponse(schema: object, context: object, response: HttpResponse): Promise<unknown>;
}

const schemas = {
  AssumeRole: operation(...partsOf(AssumeRole$)),
  AssumeRoleWithWebIdentity: operation(...partsOf(AssumeRoleWithWebIdentity$)),
  GetCallerIdentity: operation(...partsOf(GetCallerIdentity$)),
};

/**
 * Writes requests to STS and reads its answers with the schemas and the protocol of the AWS SDK, as its client does. The rest
 * of what the client does for a call takes twice the processor time of a call.
 */
export class StsProtocol {
  readonly #protocol = new STSClient({ region: 'us-east-1' }).config.protocol as Protocol;

  /**
   * The request, not signed yet.
   * @throws URIError with the name of the parameter whose text is no Unicode
   */
  async request<A extends Action>(action: A, input: Inputs[A], url: URL): Promise<HttpRequest> {
    const { protocol, hostname, port, pathname: path } = url;
    const endpoint = { protocol, hostname, ...(port !== '' && { port: Number(port) }), path };
    // The protocol would keep what it had written until then, and put it before the next request.
    const bad = illFormed(input);
    if (bad !== undefined) throw new URIError(bad);
    const request = await this.#protocol.serializeRequest(schemas[action], input, { endpoint: async () => endpoint });
    request.headers['host'] = url.host;
    request.headers['content-length'] = String(Buffer.byteLength(request.body));
    return request;
  }

  /**
   * The output that an answer holds; without any of its fields where something else than STS answered with success.
   * @throws the SDK's error for any other answer; in `$metadata` and `$response` it has the status and the headers
   */
  async output<A extends Action>(action: A, { statusCode, headers, text }: Answer): Promise<Outputs[A]> {
    const plain = headers as Record<string, string>;
    const response = new HttpResponse({ statusCode, headers: plain, body: Buffer.from(text()) });
    try {
      return (await this.#protocol.deserializeResponse(schemas[action], {}, response)) as Outputs[A];
    } catch (error) {
      const known = error as { $metadata?: object };
      known.$metadata ??= { httpStatusCode: statusCode, requestId: plain['x-amzn-requestid'] };
      Object.defineProperty(known, '$response', { value: response });
      throw known;
    }
  }
}

/** An operation as the packages write it down, without the mark of its kind. */
function partsOf(schema: typeof AssumeRole$): Parameters<typeof operation> {
  const [, namespace, name, traits, input, output] = schema;
  return [namespace, name, traits, input, output];
}

/** The first parameter with half of a character, which no encoding can hold. */
function illFormed(input: object): string | undefined {
  const isIllFormed = (value: unknown): boolean => {
    if (typeof value === 'string') return !value.isWellFormed();
    return typeof value === 'object' && value !== null && Object.values(value).some(isIllFormed);
  };
  return Object.entries(input).find(([, value]) => isIllFormed(value))?.[0];
}
