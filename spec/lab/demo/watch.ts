import { sleep, systemClock } from '../../../lib/clock.ts';
import type { Secret } from '../../../lib/controllers/aws-assume-role/secret.ts';
import type { GatewayControl } from '../aws/index.ts';
import { type AttachedControlPlane, expectSuccess } from '../index.ts';
import { type Held, heldBy } from './credentials.ts';

const INTERVAL_MS = 100;

/** One credential that a Secret held. */
export interface Revision extends Held {
  secret: string;
  /** 1 for the first. */
  number: number;
  /** What the one before had left when it was replaced, in milliseconds; undefined for the first. */
  leftMs: number | undefined;
}

/** Looks at some Secrets all the time, and finds fault with any state of them that a workload could not use. */
export class SecretWatch {
  /** Everything seen, in the order in which it came. */
  readonly revisions: Revision[] = [];
  /** How often a Secret was read. */
  reads = 0;
  /** What was wrong with a Secret, once something was. */
  problem: Error | undefined;
  readonly #plane: AttachedControlPlane;
  readonly #gateway: GatewayControl;
  readonly #end = new AbortController();
  readonly #running: Promise<unknown>;

  constructor(plane: AttachedControlPlane, gateway: GatewayControl, namespace: string, names: readonly string[]) {
    this.#plane = plane;
    this.#gateway = gateway;
    this.#running = Promise.all(names.map((name) => this.#follow(namespace, name))).catch((error: Error) => {
      this.problem ??= error;
    });
  }

  /** The credentials that a Secret has held so far. */
  of(secret: string): Revision[] {
    return this.revisions.filter((revision) => revision.secret === secret);
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  async #follow(namespace: string, name: string): Promise<void> {
    const { signal } = this.#end;
    while (!signal.aborted) {
      const path = `/api/v1/namespaces/${namespace}/secrets/${name}`;
      const secret = expectSuccess(await this.#plane.request<Secret>('GET', path), `Secret ${name}`);
      this.reads += 1;
      this.#judge(name, heldBy(secret, this.#gateway), systemClock.now());
      await sleep(systemClock, INTERVAL_MS, signal).catch(() => {});
    }
  }

  #judge(secret: string, held: Held, now: number): void {
    if (held.expiresAt <= now) throw new Error(`Secret ${secret} holds a credential that has expired`);
    const before = this.of(secret).at(-1);
    if (before?.accessKeyId === held.accessKeyId) return;
    const leftMs = before === undefined ? undefined : before.expiresAt - now;
    this.revisions.push({ ...held, secret, number: (before?.number ?? 0) + 1, leftMs });
  }
}
