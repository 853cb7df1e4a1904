import { UndiciHttpHandler } from '@smithy/undici-http-handler';
import type { Dispatcher } from 'undici';
import { type Clock, parseTime, withDeadline } from '../clock.ts';
import type { Logger } from '../log.ts';
import { type Counter, counter, type Metrics } from '../metrics.ts';
import type { Course } from './course.ts';
import { awsDispatcher } from './dispatcher.ts';
import { type AwsContext, AwsError, awsError } from './errors.ts';
import { Hosts, hostName } from './hosts.ts';
import type { AwsOptions, BaseCredentials } from './options.ts';
import { regionLabel } from './regions.ts';
import { Skew } from './skew.ts';

const CALL_TIMEOUT_MS = 20_000;

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
  /**
   * Sends once, and rejects with the signal's reason as soon as that aborts. For a second attempt it is called anew, and
   * signs with the time that the first one told.
   */
  send(signal: AbortSignal, course: Course): Promise<Received<Output>>;
}

/** A signature whose time is off by less was not refused for its time: AWS lets 15 minutes pass, and a bit less to be sure. */
const SIGNING_TOLERANCE_MS = 300_000;

/** The way to AWS that all clients of one process share: connections, deadlines, counters and the server's time. */
export class Transport {
  readonly region: string;
  /** What every request goes out on. */
  readonly dispatcher: Dispatcher;
  /** Which hosts answer. */
  readonly hosts: Hosts;
  readonly #options: AwsOptions;
  readonly #clock: Clock;
  readonly #requests: Record<AwsContext['service'], Counter>;
  readonly #handler: UndiciHttpHandler;
  readonly #skew: Skew;

  constructor(options: { aws: AwsOptions; clock: Clock; log: Logger; metrics: Metrics }) {
    this.region = options.aws.region;
    this.#options = options.aws;
    this.#clock = options.clock;
    this.hosts = new Hosts(options);
    this.dispatcher = awsDispatcher(options.aws);
    this.#handler = new UndiciHttpHandler({ dispatcher: this.dispatcher });
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

  /** The server's time as far as it is known, milliseconds since 1970. */
  get now(): number {
    return this.#clock.now() + this.#skew.ms;
  }

  /** What every SDK client of this process is made with. Retries are off: whoever calls decides on them. */
  clientConfig(region: string, credentials?: BaseCredentials) {
    return {
      region,
      maxAttempts: 1,
      systemClockOffset: this.#skew.ms,
      requestHandler: this.#handler,
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
        if (!isOff || !isForCredentials(error)) throw error;
        return this.#attempt(call, signal);
      });
      this.#count(call.context, 'OK');
      return answer;
    } catch (error) {
      if (error instanceof AwsError) this.#count(call.context, error.code);
      throw error;
    }
  }

  /** Ends every connection and the calls on it. */
  close(): Promise<void> {
    return this.dispatcher.destroy();
  }

  /** Sends once, and notes whether the host answers. Throws AwsError, or the signal's reason when `signal` ended it. */
  async #attempt<Output>(call: Call<Output>, signal: AbortSignal | undefined): Promise<Answer<Output>> {
    const began = this.#clock.monotonic();
    const context: AwsContext = { ...call.context, answered: false };
    const host = hostName(context.service, context.region);
    let sentAt = began;
    let date: number | undefined;
    const course: Course = {
      to: (name) => {
        context.host = name;
      },
      sent: () => {
        sentAt = this.#clock.monotonic();
      },
      answered: (header) => {
        context.answered = true;
        this.hosts.answered(host);
        date = parseTime(header);
        if (date !== undefined) this.#skew.observe(date, this.#clock.monotonic() - sentAt);
      },
    };
    const limit = this.#options.callTimeoutMs ?? CALL_TIMEOUT_MS;
    try {
      const received = await withDeadline(this.#clock, limit, signal, (limited) => call.send(limited, course));
      return { ...received, date: date ?? this.now };
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      const failure = awsError(error, context);
      if (failure instanceof AwsError && failure.silence !== undefined)
        this.hosts.failed(host, began, { code: failure.code, message: failure.silence });
      throw failure;
    }
  }

  #count(context: AwsContext, code: string): void {
    const region = regionLabel(context.region, this.region);
    this.#requests[context.service].inc({ op: context.operation, code, region });
  }
}

function requestCounter(metrics: Metrics, service: AwsContext['service']): Counter {
  return counter(metrics, {
    name: `rolevend_${service.toLowerCase().replace(' ', '_')}_requests_total`,
    help: `Requests to ${service} by operation, AWS error code (OK for success) and Region`,
    labelNames: ['op', 'code', 'region'],
  });
}

/** Whether the signature was refused, which the right time cures where it was made with a wrong one. */
function isForCredentials(error: unknown): boolean {
  return error instanceof AwsError && error.trouble === 'credentials';
}
