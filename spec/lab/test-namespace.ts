import { randomBytes } from 'node:crypto';
import type { KubeEvent } from '../../lib/kube/events.ts';
import { type AttachedControlPlane, expectSuccess } from './attach.ts';
import type { Outcome } from './install/run.ts';
import { type AppliedObject, applyObject, pathOf } from './resources.ts';

/** The fields of an Event that tests look at. */
export type NamespaceEvent = Pick<Required<KubeEvent>, 'type' | 'reason' | 'message' | 'firstTimestamp'>;

/** A namespace that one test has for itself. */
export interface TestNamespace {
  readonly name: string;
  /** Runs kubectl in this namespace. It does not throw: look at `code`. */
  kubectl(...args: string[]): Promise<Outcome>;
  /**
   * Applies objects one after the other, into this namespace where they name none. A request costs a hundredth of a kubectl.
   *
   * @throws Error with the server's words when it refuses one
   */
  apply(...objects: object[]): Promise<void>;
  /**
   * Merges something into an object that exists.
   *
   * @throws Error with the server's words when it refuses
   */
  patch(object: AppliedObject, change: object): Promise<void>;
  /** The Events about one object. */
  eventsAbout(kind: string, name: string): Promise<NamespaceEvent[]>;
  /** Deletes the namespace with everything in it; does not wait for the end of it. */
  remove(): Promise<void>;
}

/** Makes a namespace with a name that nobody else uses. */
export async function testNamespace(
  plane: AttachedControlPlane,
  labels: Record<string, string> = {},
): Promise<TestNamespace> {
  const name = `t-${randomBytes(5).toString('hex')}`;
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
  expectSuccess(await plane.request('POST', '/api/v1/namespaces', namespace), `namespace ${name}`);
  return {
    name,
    kubectl: (...args) => plane.kubectl('--namespace', name, ...args),
    async apply(...objects) {
      for (const object of objects) await applyObject(plane, object as AppliedObject, name);
    },
    async patch(object, change) {
      const path = await pathOf(plane, object, name);
      expectSuccess(await plane.request('PATCH', `${path}?fieldManager=test-patch`, change), path);
    },
    async eventsAbout(kind, about) {
      const selector = encodeURIComponent(`involvedObject.kind=${kind},involvedObject.name=${about}`);
      const path = `/api/v1/namespaces/${name}/events?fieldSelector=${selector}`;
      return expectSuccess(await plane.request<{ items: NamespaceEvent[] }>('GET', path), path).items;
    },
    async remove() {
      await plane.request('DELETE', `/api/v1/namespaces/${name}`);
    },
  };
}
