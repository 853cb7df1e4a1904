import type { Clock } from '../clock.ts';
import type { KubeClient } from '../kube/client.ts';
import { type KubeObject, type Resource, withoutManagedFields } from '../kube/objects.ts';
import { Reflector, type ReflectorOptions } from '../kube/reflector.ts';
import type { Logger } from '../log.ts';
import { gauge, type Metrics } from '../metrics.ts';

/** What one watch keeps, and of what. */
export type WatchSettings<T extends KubeObject> = Pick<
  ReflectorOptions<T>,
  'namespace' | 'labelSelector' | 'metadataOnly' | 'store' | 'transform' | 'onChange'
>;

interface Watch {
  name: string;
  /** Undefined: of the whole cluster. */
  namespace: string | undefined;
  reflector: Reflector<KubeObject>;
}

/**
 * All watches of one operator. Those of a single namespace stand for themselves: where the namespace, or the right to it,
 * is gone, the others go on.
 */
export class Watches {
  readonly #o: { client: KubeClient; clock: Clock; log: Logger; metrics: Metrics };
  readonly #all: Watch[] = [];

  constructor(options: { client: KubeClient; clock: Clock; log: Logger; metrics: Metrics }) {
    this.#o = options;
    this.#exposeAge();
  }

  /** Adds a watch, before `run`. */
  add<T extends KubeObject>(resource: Resource, settings: WatchSettings<T>): void {
    const reflector = new Reflector<T>({ ...this.#o, resource, transform: withoutManagedFields, ...settings });
    const { namespace } = settings;
    const name = namespace === undefined ? resource.plural : `${resource.plural} in ${namespace}`;
    this.#all.push({ name, namespace, reflector: reflector as unknown as Reflector<KubeObject> });
  }

  /** Runs all until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#all.map(({ reflector }) => reflector.run(signal)));
  }

  /** As `Reflector.current`, for all watches of this namespace, or of the whole cluster. */
  async current(namespace: string | undefined, signal: AbortSignal): Promise<void> {
    const meant = this.#all.filter(isOf(namespace));
    await Promise.all(meant.map(({ reflector }) => reflector.current(signal)));
  }

  /**
   * Names of those that have not held all objects yet and that work waits for. What the API server refuses in a namespace
   * does not count, as long as another namespace is served.
   */
  notSynced(): string[] {
    const missing = this.#all.filter(({ reflector }) => !reflector.hasSynced);
    const isServed = this.#all.some(({ namespace }) => namespace !== undefined && !missing.some(isOf(namespace)));
    const isSpared = ({ namespace, reflector }: Watch) => namespace !== undefined && isServed && reflector.isRefused;
    return missing.filter((watch) => !isSpared(watch)).map(({ name }) => name);
  }

  #exposeAge(): void {
    const all = this.#all;
    const { clock, metrics } = this.#o;
    gauge(metrics, {
      name: 'rolevend_watch_last_event_age_seconds',
      help: 'How long ago each watch last brought anything or was opened; bookmarks come each minute.',
      labelNames: ['watch'],
      collect() {
        for (const { name, reflector } of all)
          this.set({ watch: name }, (clock.monotonic() - reflector.lastEventAt) / 1000);
      },
    });
  }
}

function isOf(namespace: string | undefined): (watch: Watch) => boolean {
  return (watch) => watch.namespace === namespace;
}
