import { randomBytes } from 'node:crypto';
import { stringify } from 'yaml';
import { type AttachedControlPlane, expectSuccess } from './attach.ts';
import type { Outcome } from './install/run.ts';

/** A namespace that one test has for itself. */
export interface TestNamespace {
  readonly name: string;
  /** Runs kubectl in this namespace. It does not throw: look at `code`. */
  kubectl(...args: string[]): Promise<Outcome>;
  /**
   * Applies objects with kubectl, into this namespace where they name none.
   *
   * @throws Error with kubectl's words when the server refuses one
   */
  apply(...objects: object[]): Promise<void>;
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
      const input = objects.map((object) => stringify(object)).join('---\n');
      const { code, stderr } = await plane.kubectlInput(input, '--namespace', name, 'apply', '--filename', '-');
      if (code !== 0) throw new Error(`kubectl apply in ${name}: ${stderr}`);
    },
    async remove() {
      await plane.request('DELETE', `/api/v1/namespaces/${name}`);
    },
  };
}
