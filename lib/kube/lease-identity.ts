import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Who a process is in a leader election. */
export interface LeaseIdentity {
  /** Unlike that of every other process. */
  identity: string;
  /** As in `LeaseOptions`. */
  isPredecessor: ((holder: string) => boolean) | undefined;
}

/**
 * Names this process for a Lease.
 *
 * Where the UID of its Pod is known, it also gives the place of the Pod's predecessors: a container that is started again in
 * the same Pod takes the Lease of the process before. That one has to have ended for certain, so of all processes of a Pod
 * only the one that holds the Pod's lock has the UID in its name. The lock is a name in the network namespace, which all
 * containers of a Pod share and no other Pod; the kernel gives it free when the process has ended, also by SIGKILL, and
 * never before. Who has it, while a name with its UID stands in the Lease, has outlived the process of that name.
 *
 * @param hostname in a Pod its name, so that a UID that was copied into another Pod by hand is not enough
 * @param podUid from the downward API; undefined outside of a Pod
 */
export async function leaseIdentity(hostname: string, podUid: string | undefined): Promise<LeaseIdentity> {
  const unique = randomBytes(4).toString('hex');
  if (podUid === undefined || !(await holdLock(`rolevend/${podUid}`)))
    return { identity: `${hostname}_${unique}`, isPredecessor: undefined };
  const place = `${hostname}_${podUid}_`;
  const identity = `${place}${unique}`;
  return { identity, isPredecessor: (holder) => holder.startsWith(place) && holder !== identity };
}

/** Takes a name that only one process can have, until it ends. False where another has it, and where there are no such names. */
async function holdLock(name: string): Promise<boolean> {
  const server = createServer((socket) => socket.destroy());
  server.unref();
  try {
    // An abstract socket of Linux: no file, so that nothing is left behind and the root may be read-only.
    await once(server.listen({ path: `\0${name}` }), 'listening');
    return true;
  } catch {
    return false;
  }
}
