import { fileURLToPath } from 'node:url';
import type { AttachedControlPlane } from '../lab/index.ts';
import { run } from '../lab/install/run.ts';
import { readKubeconfig } from '../lab/kubeconfig.ts';
import type { Figures } from './messages.ts';

const program = fileURLToPath(new URL('reflector-process.ts', import.meta.url));

/** What a list and a relist cost, in milliseconds of the processor that no turn of anything else interrupted. */
export interface Relisted {
  objects: number;
  listBlockedMs: number;
  relistBlockedMs: number;
}

/** What is held after half of the reconnections, and after all. */
export interface Reconnected {
  objects: number;
  /** Connections that were opened. */
  opened: number;
  before: Figures;
  after: Figures;
}

/** Lists and relists the ConfigMaps of a namespace in a process of its own. */
export function relist(plane: AttachedControlPlane, namespace: string): Promise<Relisted> {
  return inProcess<Relisted>(plane, 'relist', namespace);
}

/** Follows the ConfigMaps of a namespace in a process of its own, over so many connections that break. */
export function reconnect(plane: AttachedControlPlane, namespace: string, times: number): Promise<Reconnected> {
  return inProcess<Reconnected>(plane, String(times), namespace);
}

async function inProcess<T>(plane: AttachedControlPlane, task: string, namespace: string): Promise<T> {
  const token = (await (await readKubeconfig(plane.kubeconfig)).token()) ?? '';
  const args = [task, namespace, plane.server, plane.caFile, token];
  const { code, stdout, stderr } = await run([process.execPath, '--expose-gc', '--no-warnings', program, ...args]);
  if (code !== 0) throw new Error(`the reflector's process ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as T;
}
