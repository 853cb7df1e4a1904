import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { type Clock, orAborted, parseTime, withDeadline } from '../clock.ts';
import type { Logger } from '../log.ts';
import { type Counter, counter, type Metrics } from '../metrics.ts';
import type { Course } from './course.ts';
import { type AwsContext, AwsError, awsError } from './errors.ts';
import type { AwsOptions, BaseCredentials } from './options.ts';
import type { Agents } from './post.ts';
import { Skew } from './skew.ts';

const CONNECT_TIMEOUT_MS = 3_000;
const CALL_TIMEOUT_MS = 20_000;
/** Shorter than the idle time after which AWS closes a connection, so that no request goes out on a dying one. */
const IDLE_SOCKET_MS = 4_000;

/** An output and the id of its request. */
export interface Received<Output> {
  output: Output;
  requestId: string | undefined;
}

/** What was received, and when. */
export interface Answer<Output> extends Received<Output> {
  /** Server time of the answer, milliseconds since 1970; the corrected local time where the header is missing. */
  date: number;
}

export interface Call<Output> {
  context: AwsContext;
  /** Sends once. For a second attempt it is called anew, and signs with the time that the first one told. */
  send(signal: AbortSignal, course: Course): Promise<Received<Output>>;
}

/** A signature whose time is off by less was not refused for its time: AWS lets 15 minutes pass, and a bit less to be sure. */
const SIGNING_TOLERANCE_MS = 300_000;

/** The way to AWS that all clients of one process share: connections, deadlines, counters and the server's time. */
export class Transport {
  readonly region: string;
  readonly #options: AwsOptions;
  readonly #clock: Clock;
  readonly #requests: Record<AwsContext['service'], Counter>;
  readonly #agents: Agents;
  readonly #connectTimeoutMs: number;
  readonly #skew: Skew;

  constructor(options: { aws: AwsOptions; clock: Clock; log: Logger; metrics: Metrics }) {
    this.region = options.aws.region;
    this.#options = options.aws;
    this.#clock = options.clock;
    this.#agents = makeAgents(options.aws);
    this.#connectTimeoutMs = options.aws.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
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

  /** What a request of our own is sent with; `now` is the server's time as far as it is known, milliseconds since 1970. */
  get way(): { agents: Agents; clock: Clock; connectTimeoutMs: number; now: number } {
    const now = this.#clock.now() + this.#skew.ms;
    return { agents: this.#agents, clock: this.#clock, connectTimeoutMs: this.#connectTimeoutMs, now };
  }

  /** What every SDK client of this process is made with. Retries are off: whoever calls decides on them. */
  clientConfig(region: string, credentials?: BaseCredentials) {
    return {
      region,
      maxAttempts: 1,
      systemClockOffset: this.#skew.ms,
      requestHandler: { connectionTimeout: this.#connectTimeoutMs, ...this.#agents },
      ...(this.#options.endpoint !== undefined && { endpoint: this.#options.endpoint }),
      ...(credentials !== undefined && { credentials }),
    };
  }

  /**
   * Makes one call within the deadline and counts it. Where AWS refused the signature because our clock is wrong,
   * the call is repeated once with the server's time.
   * @throws AwsError, or the signal's reason when `signal` ended the call
   */
  async call<Output>(call: Call<Output>, signal: AbortSignal | undefined): Promise<Answer<Output>> {
    const skewMs = this.#skew.ms;
    try {
      const answer = await this.#attempt(call, signal).catch((error: unknown) => {
        const isOff = Math.abs(this.#skew.ms - skewMs) >= SIGNING_TOLERANCE_MS;
        if (!isOff || !isForCredentials(error, call.context)) throw error;
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

  async #attempt<Output>(call: Call<Output>, signal: AbortSignal | undefined): Promise<Answer<Output>> {
    let sentAt = this.#clock.monotonic();
    let date: number | undefined;
    const course: Course = {
      sent: () => {
        sentAt = this.#clock.monotonic();
      },
      answered: (header) => {
        date = parseTime(header);
        if (date !== undefined) this.#skew.observe(date, this.#clock.monotonic() - sentAt);
      },
    };
    const limit = this.#options.callTimeoutMs ?? CALL_TIMEOUT_MS;
    const send = (limited: AbortSignal) => orAborted(call.send(limited, course), limited);
    const received = await withDeadline(this.#clock, limit, signal, send);
    return { ...received, date: date ?? this.#clock.now() + this.#skew.ms };
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

function makeAgents(options: AwsOptions): Agents {
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

/** Whether the signature was refused, which the right time cures where it was made with a wrong one. */
function isForCredentials(error: unknown, context: AwsContext): boolean {
  const known = awsError(error, context);
  return known instanceof AwsError && known.trouble === 'credentials';
}
