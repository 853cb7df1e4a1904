import { type Clock, sleep } from '../../lib/clock.ts';
import type { WatchEvent, WatchOptions } from '../../lib/kube/client.ts';
import { KubeError } from '../../lib/kube/errors.ts';
import type { LeaseClient } from '../../lib/kube/lease.ts';
import type { Lease } from '../../lib/kube/lease-record.ts';
import { leases } from '../../lib/kube/objects.ts';

/**
 * What happens to a request: it is answered, refused with a 503, never answered and not done (`stall`), or done but never
 * answered (`mute`); a number delays its arrival by that many milliseconds.
 */
export type Fate = 'ok' | 'refuse' | 'stall' | 'mute' | number;

/** One Lease in memory, with resource versions and uids as the API server keeps them. */
export class LeaseStub {
  readonly #clock: Clock;
  readonly #watchers = new Set<(event: WatchEvent<Lease>) => void>();
  readonly requests: { at: number; verb: string; holder?: string | undefined }[] = [];
  lease: Lease | undefined;
  /** How long who is refused is asked to wait, in milliseconds. */
  retryAfterMs: number | undefined;
  #version = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** An edit from outside; undefined deletes the Lease. */
  edit(change: (lease: Lease) => Lease | undefined): void {
    if (this.lease === undefined) throw new Error('there is no lease to edit');
    const before = this.lease;
    const after = change(before);
    if (after !== undefined) this.#store(after, 'MODIFIED');
    else {
      this.lease = undefined;
      this.#tell({ type: 'DELETED', object: before });
    }
  }

  /** A client of one process. `watch` is left out unless asked for. */
  client(fate: (verb: string) => Fate = () => 'ok', options: { watch?: boolean } = {}): LeaseClient {
    const request = async (verb: string, signal: AbortSignal | undefined, work: () => Lease, holder?: string) => {
      this.requests.push({ at: this.#clock.monotonic(), verb, ...(holder !== undefined && { holder }) });
      const what = fate(verb);
      if (typeof what === 'number') await sleep(this.#clock, what, signal);
      if (what === 'refuse') throw failed(verb, 503, 'ServiceUnavailable', this.retryAfterMs);
      if (what === 'mute') work();
      if (what === 'stall' || what === 'mute') await sleep(this.#clock, 1e9, signal);
      return structuredClone(work());
    };
    const client = {
      get: (_r: unknown, _ref: unknown, o?: { signal?: AbortSignal }) => request('get', o?.signal, () => this.#get()),
      create: (_r: unknown, lease: Lease, o?: { signal?: AbortSignal }) =>
        request('create', o?.signal, () => this.#create(lease), lease.spec?.holderIdentity),
      replace: (_r: unknown, lease: Lease, o?: { signal?: AbortSignal }) =>
        request('update', o?.signal, () => this.#replace(lease), lease.spec?.holderIdentity),
      ...(options.watch && { watch: (_r: unknown, o: WatchOptions<Lease>) => this.#watch(o) }),
    };
    return client as unknown as LeaseClient;
  }

  #get(): Lease {
    if (this.lease === undefined) throw failed('get', 404, 'NotFound');
    return this.lease;
  }

  #create(lease: Lease): Lease {
    if (this.lease !== undefined) throw failed('create', 409, 'AlreadyExists');
    return this.#store({ ...lease, metadata: { ...lease.metadata, uid: `uid-${this.#version}` } }, 'ADDED');
  }

  #replace(lease: Lease): Lease {
    const { metadata } = this.#get();
    const same = metadata.resourceVersion === lease.metadata.resourceVersion && metadata.uid === lease.metadata.uid;
    if (!same) throw failed('update', 409, 'Conflict');
    return this.#store(lease, 'MODIFIED');
  }

  #store(lease: Lease, type: 'ADDED' | 'MODIFIED'): Lease {
    this.#version += 1;
    this.lease = structuredClone({ ...lease, metadata: { ...lease.metadata, resourceVersion: String(this.#version) } });
    this.#tell({ type, object: this.lease });
    return this.lease;
  }

  #tell(event: WatchEvent<Lease>): void {
    for (const watcher of this.#watchers) watcher(structuredClone(event));
  }

  #watch({ signal, onEvent }: WatchOptions<Lease>): Promise<void> {
    this.#watchers.add(onEvent);
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        this.#watchers.delete(onEvent);
        resolve();
      });
    });
  }
}

function failed(verb: string, status: number, code: string, retryAfterMs?: number): KubeError {
  return new KubeError({ verb, resource: leases, ref: { name: 'l' } }, { status, code, retryAfterMs });
}
