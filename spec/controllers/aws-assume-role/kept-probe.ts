// Fills the stores with objects that have large annotations, of which nothing is read, in a process of its own. Prints how
// many MiB they hold afterwards. Needs `node --expose-gc`. Argument: size of the annotations in characters.
import type { AWSAssumeRole } from '../../../lib/api/aws-assume-role.ts';
import { annotations } from '../../../lib/api/names.ts';
import type { RoleGrant } from '../../../lib/api/role-grant.ts';
import { keptGrant, keptNamespace, keptObject, keptSecret } from '../../../lib/controllers/aws-assume-role/kept.ts';
import { objectStore, secretStore } from '../../../lib/controllers/aws-assume-role/watch.ts';
import type { KubeObject } from '../../../lib/kube/objects.ts';
import { Store } from '../../../lib/kube/store.ts';
import { role, secretMeta } from './fixtures.ts';

const OBJECTS = 100;
const size = Number(process.argv[2]);

/** As it comes from the API server: text that nothing else refers to. */
function received<T>(object: object, name: string): T {
  const metadata = { ...(object as KubeObject).metadata, name, uid: name };
  const large = { [annotations.refreshRequestedAt]: 'r'.repeat(size), note: 'x'.repeat(size) };
  const full = {
    ...metadata,
    annotations: { ...metadata.annotations, ...large },
    labels: { ...metadata.labels, team: 'a' },
  };
  return JSON.parse(JSON.stringify({ ...object, metadata: full })) as T;
}

const [objects, secrets] = [objectStore(), secretStore()];
const [grants, namespaces] = [new Store<RoleGrant>(), new Store<KubeObject>()];
const plain = (kind: string) => ({ apiVersion: 'v1', kind, metadata: {} });
const grant = { ...plain('RoleGrant'), spec: { namespaces: { names: ['*'] }, roles: [] } };
const used = () => {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed + process.memoryUsage().external;
};
const before = used();
for (let n = 0; n < OBJECTS; n++) {
  const name = `object-${n}`;
  objects.apply({ type: 'ADDED', object: keptObject(received<AWSAssumeRole>(role(), name)) });
  secrets.apply({ type: 'ADDED', object: keptSecret(received({ ...plain('Secret'), metadata: secretMeta() }, name)) });
  grants.apply({ type: 'ADDED', object: keptGrant(received(grant, name)) });
  namespaces.apply({ type: 'ADDED', object: keptNamespace(received(plain('Namespace'), name)) });
}
const heldMib = (used() - before) / 2 ** 20;
const held = [objects, secrets, grants, namespaces].map((store) => store.size);
process.stdout.write(`${JSON.stringify({ held, heldMib })}\n`);
