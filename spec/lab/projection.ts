import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { basename, join } from 'node:path';

const DATA = '..data';
const NEXT = '..data_tmp';

/** What a Secret holds: the bytes of each key. */
export type Payload = Readonly<Record<string, Buffer>>;

/** The bytes of a Secret's `data`, which the API gives in base64. */
export function payloadOf(secret: { data?: Record<string, string> }): Payload {
  const entries = Object.entries(secret.data ?? {});
  return Object.fromEntries(entries.map(([key, value]) => [key, Buffer.from(value, 'base64')]));
}

/**
 * Brings a directory to what the payload says, the way a kubelet does with a Secret volume: the files of one state lie in
 * a directory of their own, `..data` is a link to it that one rename swaps, and each key is a link through `..data`.
 * A reader that opens `..data` once sees one state, never a mix. Nothing is touched when nothing changed.
 *
 * @param nowMs names the directory of the state, as a kubelet does
 * @returns whether something changed
 */
export async function project(payload: Payload, directory: string, nowMs: number): Promise<boolean> {
  await mkdir(directory, { recursive: true });
  const previous = await readlink(join(directory, DATA)).catch(() => undefined);
  if (previous !== undefined && (await holds(join(directory, previous), payload))) return false;
  const state = await writeState(payload, directory, nowMs);
  await swap(directory, state);
  for (const key of Object.keys(payload)) await linkKey(directory, key);
  await removeStaleKeys(directory, payload);
  if (previous !== undefined) await rm(join(directory, previous), { recursive: true, force: true });
  return true;
}

async function writeState(payload: Payload, directory: string, nowMs: number): Promise<string> {
  const stamp = new Date(nowMs).toISOString().slice(0, 19).replaceAll(/[-:T]/g, '_');
  const state = await mkdtemp(join(directory, `..${stamp}.`));
  await chmod(state, 0o755);
  for (const [key, value] of Object.entries(payload)) {
    await writeFile(join(state, key), value);
    // Explicitly, since the process' umask takes bits from the mode at creation.
    await chmod(join(state, key), 0o644);
  }
  return basename(state);
}

async function swap(directory: string, state: string): Promise<void> {
  await rm(join(directory, NEXT), { force: true });
  await symlink(state, join(directory, NEXT));
  await rename(join(directory, NEXT), join(directory, DATA));
}

async function linkKey(directory: string, key: string): Promise<void> {
  const link = join(directory, key);
  const there = await lstat(link).catch(() => undefined);
  if (there === undefined) await symlink(join(DATA, key), link);
}

async function removeStaleKeys(directory: string, payload: Payload): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.startsWith('..') && !Object.hasOwn(payload, name)) await rm(join(directory, name), { force: true });
  }
}

async function holds(state: string, payload: Payload): Promise<boolean> {
  const names = await readdir(state).catch(() => undefined);
  if (names?.length !== Object.keys(payload).length) return false;
  for (const [key, value] of Object.entries(payload)) {
    const content = await readFile(join(state, key)).catch(() => undefined);
    if (!content?.equals(value)) return false;
  }
  return true;
}
