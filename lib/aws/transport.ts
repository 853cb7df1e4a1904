import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { type Clock, withDeadline } from '../clock.ts';
import type { Logger } from '../log.ts';
import { type Counter, counter, type Metrics } from '../metrics.ts';
import { type AwsContext, AwsError, awsError } from './errors.ts';
import type { AwsOptions, BaseCredentials } from './options.ts';
import { Skew } from './skew.ts';

const CONNECT_TIMEOUT_MS = 3_000;
const CALL_TIMEOUT_MS = 20_000;
/** Shorter than the idle time after which AWS closes a connection, so that no request goes out on a dying one. */
const IDLE_SOCKET_MS = 4_000;

/** An answer and what came with it. */
export interface Answer<Output> {
  output: Output;
  /** Server time of the answer, milliseconds since 1970; the corrected local time where the header is missing. */
  date: number;
  requestId: string | undefined;
}

/** The part of an SDK client that the transport looks at. */
interface Client {
  config: { systemClockOffset: number };
}

type Next = (args: unknown) => Promise<{ response: unknown }>;

/** The part of an SDK command's middleware stack that the transport uses; the SDK types it per command. */
interface MiddlewareStack {
  add(middleware: (next: Next) => Next, options: { step: 'deserialize'; priority: 'low'; name: string }): void;
}

/** One call: the client and command are made anew for each attempt, so that they see a corrected clock. */
export interface Call<Output> {
  context: AwsContext;
  attempt(): { client: Client; command: { middlewareStack: unknown }; send(signal: AbortSignal): Promise<Output> };
}

interface Times {
  date?: number | undefined;
}

/** The way to AWS that all clients of one process share: connections, deadlines, counters and the server's time. */
export class Transport {
  readonly region: string;
  readonly #options: AwsOptions;
  readonly #clock: Clock;
  readonly #requests: Record<AwsContext['service'], Counter>;
  readonly #agents: { httpAgent: HttpAgent; httpsAgent: HttpsAgent };
  readonly #skew: Skew;
  #signingOffset = 0;

  constructor(options: { aws: AwsOptions; clock: Clock; log: Logger; metrics: Metrics }) {
    this.region = options.aws.region;
    this.#options = options.aws;
    this.#clock = options.clock;
    this.#agents = makeAgents(options.aws);
    this.#skew = new Skew(options);
    const counterFor = (service: AwsContext['service']) => requestCounter(options.metrics, service);
    this.#requests = { STS: counterFor('STS'), ECR: counterFor('ECR'), 'ECR Public': counterFor('ECR Public') };
  }

  /** Server time minus local time in milliseconds: compare the times that AWS gave with `clock.now() + skewMs`. */
  get skewMs(): number {
    return this.#skew.ms;
  }

  /** When AWS last told its time, in milliseconds of the steady clock; also with an error. */
  get answeredAt(): number {
    return this.#skew.answeredAt;
  }

  /** Resolves when AWS has told its time once. */
  get timeKnown(): Promise<void> {
    return this.#skew.known;
  }

  /** What every SDK client of this process is made with. Retries are off: whoever calls decides on them. */
  clientConfig(region: string, credentials?: BaseCredentials) {
    return {
      region,
      maxAttempts: 1,
      systemClockOffset: this.#signingOffset,
      requestHandler: { connectionTimeout: this.#options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS, ...this.#agents },
      ...(this.#options.endpoint !== undefined && { endpoint: this.#options.endpoint }),
      ...(credentials !== undefined && { credentials }),
    };
  }

  /**
   * Makes one call within the deadline and counts it. Where AWS refused the signature because our clock is wrong,
   * the call is repeated once with the server's time.
   * @throws AwsError, or the signal's reason when `signal` ended the call
   */
  async call<Output extends object>(call: Call<Output>, signal: AbortSignal | undefined): Promise<Answer<Output>> {
    try {
      const answer = await this.#attempt(call, signal).catch((error: unknown) => {
        if (!isForWrongClock(error, call.context)) throw error;
        return this.#attempt(call, signal);
      });
      this.#count(call.context, 'OK');
      return answer;
    } catch (error) {
      throw this.#failure(error, call.context, signal);
    }
  }

  /** Closes idle connections. */
  close(): void {
    this.#agents.httpAgent.destroy();
    this.#agents.httpsAgent.destroy();
  }

  async #attempt<Output extends object>(call: Call<Output>, signal: AbortSignal | undefined): Promise<Answer<Output>> {
    const { client, command, send } = call.attempt();
    const times: Times = {};
    this.#watchDate(command, times);
    try {
      const limit = this.#options.callTimeoutMs ?? CALL_TIMEOUT_MS;
      const output = await withDeadline(this.#clock, limit, signal, send);
      const { requestId } = (output as { $metadata?: { requestId?: string } }).$metadata ?? {};
      return { output, date: times.date ?? this.#clock.now() + this.#skew.ms, requestId };
    } finally {
      this.#signingOffset = client.config.systemClockOffset;
    }
  }

  /** Sits below the SDK's own deserializer, where answers to failed requests pass too. */
  #watchDate(command: { middlewareStack: unknown }, times: Times): void {
    const watch = (next: Next) => async (args: unknown) => {
      const sentAt = this.#clock.monotonic();
      const result = await next(args);
      times.date = dateOf(result.response);
      if (times.date !== undefined) this.#skew.observe(times.date, this.#clock.monotonic() - sentAt);
      return result;
    };
    const stack = command.middlewareStack as MiddlewareStack;
    stack.add(watch, { step: 'deserialize', priority: 'low', name: 'rolevendServerDate' });
  }

  #failure(error: unknown, context: AwsContext, signal: AbortSignal | undefined): unknown {
    if (signal?.aborted) return signal.reason;
    const late = (error as { name?: unknown } | undefined)?.name === 'AbortError';
    const failure = awsError(late ? new DOMException('no answer in time', 'TimeoutError') : error, context);
    if (failure instanceof AwsError) this.#count(context, failure.code);
    return failure;
  }

  #count(context: AwsContext, code: string): void {
    this.#requests[context.service].inc({ op: context.operation, code, region: context.region });
  }
}

function makeAgents(options: AwsOptions): { httpAgent: HttpAgent; httpsAgent: HttpsAgent } {
  const common = {
    keepAlive: true,
    timeout: IDLE_SOCKET_MS,
    ...(options.proxyEnv !== undefined && { proxyEnv: options.proxyEnv }),
  };
  return {
    httpAgent: new HttpAgent(common),
    httpsAgent: new HttpsAgent({ ...common, ...(options.ca !== undefined && { ca: options.ca }) }),
  };
}

function requestCounter(metrics: Metrics, service: AwsContext['service']): Counter {
  return counter(metrics, {
    name: `rolevend_${service.toLowerCase().replace(' ', '_')}_requests_total`,
    help: `Requests to ${service} by operation, AWS error code (OK for success) and Region`,
    labelNames: ['op', 'code', 'region'],
  });
}

function dateOf(response: unknown): number | undefined {
  const header = (response as { headers?: Record<string, string> }).headers?.date;
  const date = header === undefined ? Number.NaN : Date.parse(header);
  return Number.isNaN(date) ? undefined : date;
}

/** The SDK notes on any error that it has set its clock right; only a refused signature is cured by that. */
function isForWrongClock(error: unknown, context: AwsContext): boolean {
  const corrected = (error as { $metadata?: { clockSkewCorrected?: boolean } } | undefined)?.$metadata
    ?.clockSkewCorrected;
  const known = corrected === true ? awsError(error, context) : undefined;
  return known instanceof AwsError && known.trouble === 'credentials';
}
