import { Sha256 } from '@smithy/core/checksum';
import type { HttpRequest } from '@smithy/core/protocols';
import { SignatureV4 } from '@smithy/signature-v4';
import { type Answer as Exchanged, exchange, type Head } from '../exchange.ts';
import { BoundedMap } from './bounded-map.ts';
import { type Endpoint, stsEndpoint } from './endpoint.ts';
import type { AwsContext } from './errors.ts';
import type { BaseCredentials } from './options.ts';
import { type Action, type Inputs, type Outputs, StsProtocol } from './sts-protocol.ts';
import type { Answer, Call, Transport } from './transport.ts';

const MOST_ENDPOINTS = 64;

/** Where a call of this action comes from. */
export type StsContext<A extends Action> = AwsContext & { operation: A };

/**
 * Asks STS. What a request and its answer look like comes from the AWS SDK, and so do signatures and endpoints; the way
 * there is the one of this process, which costs less than the SDK's.
 */
export class StsClient {
  readonly #transport: Transport;
  readonly #protocol = new StsProtocol();
  /** By Region, which users name. */
  readonly #endpoints = new BoundedMap<string, Promise<Endpoint>>(MOST_ENDPOINTS);
  readonly #signers = new WeakMap<BaseCredentials, SignatureV4>();

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * Takes the action that the context names, in its Region; without credentials unsigned. One request, never repeated but
   * for a wrong clock.
   * @throws AwsError, or the signal's reason when it aborts
   */
  ask<A extends Action>(
    context: StsContext<A>,
    input: Inputs[A],
    credentials: BaseCredentials | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Answer<Outputs[A]>> {
    const { operation, region } = context;
    const send: Call<Outputs[A]>['send'] = async (limited, course) => {
      const endpoint = await this.#endpoint(region);
      course.to(endpoint.url.host);
      const plain = await this.#protocol.request(operation, input, endpoint.url);
      const { path, method, headers, body } =
        credentials === undefined ? plain : await this.#signed(plain, credentials, endpoint);
      const request = {
        origin: endpoint.url.origin,
        path,
        method: method as 'POST',
        headers: { ...headers, 'user-agent': 'rolevend' },
        body,
        headersTimeout: 0,
        bodyTimeout: 0,
      };
      const onHead = (head: Head) => {
        course.answered(head.headers.date);
        return undefined;
      };
      const hooks = { mayStart: course.sent, onHead };
      const answer = await exchange(this.#transport.dispatcher, request, limited, hooks);
      const output = await this.#protocol.output(operation, answer);
      if (isEmpty(output)) throw notOfSts(answer);
      return { output, requestId: output.$metadata.requestId };
    };
    return this.#transport.call({ context, send }, signal);
  }

  #signed(request: HttpRequest, credentials: BaseCredentials, { scope }: Endpoint): Promise<HttpRequest> {
    const signer =
      this.#signers.get(credentials) ??
      new SignatureV4({ credentials, region: scope.region, service: scope.service, sha256: Sha256 });
    this.#signers.set(credentials, signer);
    const signingDate = new Date(this.#transport.now);
    const { region: signingRegion, service: signingService } = scope;
    return signer.sign(request, { signingDate, signingRegion, signingService }) as Promise<HttpRequest>;
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

/** Each action answers something; the protocol reads any other XML, and a page for people, as an output without fields. */
function isEmpty(output: object): boolean {
  return Object.keys(output).every((name) => name === '$metadata');
}

function notOfSts({ statusCode, headers }: Exchanged): Error {
  return Object.assign(new Error('not an answer of STS'), {
    $metadata: { httpStatusCode: statusCode, requestId: headers['x-amzn-requestid'] },
    $response: { statusCode, headers },
  });
}
