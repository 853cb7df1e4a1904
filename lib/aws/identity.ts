import { type Clock, orAborted, withDeadline } from '../clock.ts';
import { RolevendError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { callerIdentity } from './caller.ts';
import { defaultChain } from './chain.ts';
import { DoubtPace } from './doubt.ts';
import { identityProblem } from './identity-problem.ts';
import type { AwsOptions, BaseCredentials, CallerIdentity, CredentialProvider } from './options.ts';
import { StsClient } from './sts-client.ts';
import type { Transport } from './transport.ts';

export type { AwsOptions, CallerIdentity } from './options.ts';

/** Most milliseconds for getting credentials from wherever they come from. */
const PROVIDER_TIMEOUT_MS = 20_000;
/** Credentials in their last milliseconds are not used: a request signed with them may arrive too late. */
const LAST_MS = 5_000;
/** How often credentials without an end are read again, in milliseconds, so that a replaced file is noticed. */
const STATIC_RECHECK_MS = 300_000;
/** Part of the remaining life after which new credentials are fetched: between these two, drawn anew each time. */
const REFRESH_EARLIEST = 0.5;
const REFRESH_LATEST = 0.6;
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 300_000;
/** While there is nothing usable the operator can do no work, so it looks more often. */
const MAX_RETRY_WITHOUT_MS = 30_000;

interface Current {
  caller: CallerIdentity;
  credentials: BaseCredentials;
}

/**
 * The operator's own AWS identity: credentials of the SDK's default chain, renewed well before they end, and the
 * answer of GetCallerIdentity, asked again when the credentials change. A failed renewal keeps what is still valid.
 */
export class BaseIdentity {
  readonly #transport: Transport;
  readonly #sts: StsClient;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #provider: CredentialProvider;
  readonly #random: () => number;
  readonly #listeners = new Set<(caller: CallerIdentity) => void>();
  readonly #doubts = new DoubtPace();
  #current: Current | undefined;
  #refused: BaseCredentials | undefined;
  #flight: Promise<void> | undefined;
  #failures = 0;
  #problem: string | undefined = 'The AWS identity was not looked up yet.';
  #nextAt = Number.NEGATIVE_INFINITY;
  #acceptedAt = Number.NEGATIVE_INFINITY;
  #wake: () => void = () => {};

  /** `random` draws the jitter, in [0, 1). Default: Math.random. */
  constructor(options: { transport: Transport; aws: AwsOptions; clock: Clock; log: Logger; random?: () => number }) {
    this.#transport = options.transport;
    this.#sts = new StsClient(options.transport);
    this.#clock = options.clock;
    this.#log = options.log;
    this.#random = options.random ?? Math.random;
    this.#provider = options.aws.provider ?? defaultChain({ transport: options.transport, log: options.log });
  }

  /** Who we are, while the credentials are usable. */
  get current(): { caller: CallerIdentity } | undefined {
    const held = this.#usable();
    return held && { caller: held.caller };
  }

  /** Why there is no usable identity, with what to do about it; undefined while there is one. Holds nothing secret. */
  get problem(): string | undefined {
    return this.#usable() === undefined ? this.#problem : undefined;
  }

  /** Keeps the credentials fresh and retries for ever. Resolves when `signal` aborts, never before, and never throws. */
  async start(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await orAborted(this.#refresh(), signal).catch(() => {});
      await this.#pause(signal);
    }
  }

  /**
   * Credentials to sign with. The same object is handed out until they are renewed.
   * @throws RolevendError `NoIdentity` (retry) while there are none; the signal's reason when it aborts
   */
  async credentials(signal?: AbortSignal): Promise<BaseCredentials> {
    signal?.throwIfAborted();
    const held = this.#usable();
    if (held !== undefined) return held.credentials;
    if (this.#flight !== undefined || this.#clock.monotonic() >= this.#nextAt) {
      await orAborted(this.#refresh(), signal);
    }
    const fresh = this.#usable();
    if (fresh !== undefined) return fresh.credentials;
    throw new RolevendError(this.#problem ?? 'The AWS credentials of the operator have expired.', {
      code: 'NoIdentity',
      consequence: 'retry',
      retryAfterMs: Math.max(0, this.#nextAt - this.#clock.monotonic()),
    });
  }

  /**
   * AWS refused these credentials: they are not used again unless GetCallerIdentity accepts them. Ignored for
   * credentials that were replaced meanwhile and for those accepted just now, so that refusals in a row cost one check;
   * where doubts turn out wrong again and again, they grow rare.
   */
  invalidate(credentials: BaseCredentials | undefined = this.#current?.credentials): void {
    if (credentials === undefined || credentials !== this.#current?.credentials) return;
    if (!this.#doubts.take(this.#acceptedAt, this.#clock.monotonic())) return;
    this.#refused = credentials;
    this.#nextAt = Number.NEGATIVE_INFINITY;
    this.#wake();
  }

  /**
   * Asks AWS who we are, for its time, and then looks at once whether the credentials need to be renewed: for when the
   * clock of the machine cannot be trusted. Never throws; AWS may not have answered.
   */
  async recheck(signal: AbortSignal): Promise<void> {
    const held = this.#current;
    if (held !== undefined) await this.#callerOf(held.credentials, signal).catch(() => {});
    this.#nextAt = Number.NEGATIVE_INFINITY;
    this.#wake();
  }

  /** Calls `run` when the identity is first known and when another role, user or account takes its place. */
  onChange(run: (caller: CallerIdentity) => void): () => void {
    this.#listeners.add(run);
    return () => this.#listeners.delete(run);
  }

  #usable(): Current | undefined {
    const held = this.#current;
    if (held === undefined || held.credentials === this.#refused) return undefined;
    return this.#remainingMs(held.credentials) > LAST_MS ? held : undefined;
  }

  #remainingMs(credentials: BaseCredentials): number {
    const end = credentials.expiration?.getTime() ?? Number.POSITIVE_INFINITY;
    return end - this.#transport.now;
  }

  /** One flight at a time, however many ask. Never rejects. */
  #refresh(): Promise<void> {
    this.#flight ??= this.#fetch()
      .then(
        (current) => this.#accept(current),
        (error: unknown) => this.#fail(error),
      )
      .finally(() => {
        this.#flight = undefined;
      });
    return this.#flight;
  }

  async #fetch(): Promise<Current> {
    const credentials = await withDeadline(this.#clock, PROVIDER_TIMEOUT_MS, undefined, (signal) =>
      orAborted(this.#provider({ forceRefresh: true }), signal),
    );
    const known = this.#current;
    if (known !== undefined && known.credentials !== this.#refused && isSame(known.credentials, credentials))
      return known;
    return { credentials, caller: await this.#callerOf(credentials) };
  }

  #callerOf(credentials: BaseCredentials, signal?: AbortSignal): Promise<CallerIdentity> {
    return callerIdentity(this.#sts, this.#transport.region, credentials, signal);
  }

  #accept(next: Current): void {
    const before = this.#current?.caller;
    this.#current = next;
    this.#refused = undefined;
    this.#problem = undefined;
    this.#failures = 0;
    this.#acceptedAt = this.#clock.monotonic();
    this.#nextAt = this.#clock.monotonic() + this.#renewalMs(next.credentials);
    if (before !== undefined && principalOf(before) === principalOf(next.caller)) return;
    this.#log.info({ arn: next.caller.arn }, 'AWS identity');
    for (const run of this.#listeners) run(next.caller);
  }

  #fail(error: unknown): void {
    const usable = this.#usable();
    this.#problem = identityProblem(error, this.#transport.region);
    const cap =
      usable === undefined ? MAX_RETRY_WITHOUT_MS : Math.min(MAX_RETRY_MS, this.#remainingMs(usable.credentials) / 4);
    const backOff = Math.min(cap, FIRST_RETRY_MS * 2 ** Math.min(this.#failures, 20)) * (0.5 + this.#random() / 2);
    this.#failures += 1;
    this.#nextAt = this.#clock.monotonic() + Math.max(FIRST_RETRY_MS / 2, backOff);
    this.#log.warn({ problem: this.#problem, stillValid: usable !== undefined }, 'no new AWS credentials');
  }

  #renewalMs(credentials: BaseCredentials): number {
    const part = REFRESH_EARLIEST + (REFRESH_LATEST - REFRESH_EARLIEST) * this.#random();
    if (credentials.expiration === undefined) return STATIC_RECHECK_MS * (part / REFRESH_LATEST);
    return Math.max(FIRST_RETRY_MS, this.#remainingMs(credentials) * part);
  }

  #pause(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        signal.removeEventListener('abort', end);
        resolve();
      };
      const cancel = this.#clock.after(this.#nextAt - this.#clock.monotonic(), end);
      this.#wake = end;
      if (signal.aborted) end();
      signal.addEventListener('abort', end, { once: true });
    });
  }
}

function isSame(a: BaseCredentials, b: BaseCredentials): boolean {
  return (
    a.accessKeyId === b.accessKeyId && a.secretAccessKey === b.secretAccessKey && a.sessionToken === b.sessionToken
  );
}

/** A role session's name changes with every session; the principal does not. */
function principalOf(caller: CallerIdentity): string {
  return JSON.stringify([caller.partition, caller.accountId, caller.role ?? caller.arn]);
}
