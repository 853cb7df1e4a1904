import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rm, stat, utimes } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { sleep, systemClock } from '../../../lib/clock.ts';

const HEARTBEAT_MS = 3_000;
const STALE_MS = 15_000;
const POLL_MS = 500;

/** Says what goes on, one line each. */
export type Progress = (line: string) => void;

/** Where everything lies that the laboratory builds once for all clones: `${XDG_CACHE_HOME:-~/.cache}/rolevend/lab`. */
export function cacheRoot(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'rolevend', 'lab');
}

/** The first 20 hexadecimal digits of the SHA-256 of the texts and of what is in the files. */
export async function hashOf(files: readonly string[], texts: readonly string[] = []): Promise<string> {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(`${text.length}:${text}`);
  for (const file of files) {
    const content = await readFile(file);
    hash.update(`${content.length}:`).update(content);
  }
  return hash.digest('hex').slice(0, 20);
}

/** Whether the file or directory is there; a link counts when its target is. */
export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** The first file of this name in a directory of the PATH. */
export async function onPath(name: string): Promise<string | undefined> {
  for (const place of (process.env.PATH ?? '').split(delimiter)) {
    if (place && (await exists(join(place, name)))) return join(place, name);
  }
  return undefined;
}

/**
 * Builds something in the cache once, also when several processes want it at the same time: the others wait.
 * A lock whose holder died is taken over after 15 s without a sign of life. Should two builders ever run together,
 * nothing breaks, because each `build` ends with one rename or one marker file.
 *
 * @param directory the directory in the cache, made when missing
 * @param ready whether it is there already; asked again after waiting
 */
export async function buildOnce(
  directory: string,
  ready: () => Promise<boolean>,
  build: () => Promise<void>,
  progress: Progress,
): Promise<void> {
  if (await ready()) return;
  await mkdir(directory, { recursive: true });
  const lock = `${directory}.lock`;
  for (let told = false; !(await take(lock)); told = true) {
    if (!told) progress(`another process is building ${directory}, waiting for it`);
    await sleep(systemClock, POLL_MS);
    if (await ready()) return;
  }
  const drop = keepAlive(lock);
  try {
    if (!(await ready())) await build();
  } finally {
    drop();
    await rm(lock, { force: true });
  }
}

async function take(lock: string): Promise<boolean> {
  try {
    await (await open(lock, 'wx')).close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const held = await stat(lock).catch(() => undefined);
    if (held !== undefined && systemClock.now() - held.mtimeMs > STALE_MS) await rm(lock, { force: true });
    return false;
  }
}

function keepAlive(lock: string): () => void {
  let cancel = () => {};
  const beat = () => {
    const now = new Date(systemClock.now());
    utimes(lock, now, now).catch(() => {});
    cancel = systemClock.after(HEARTBEAT_MS, beat);
  };
  beat();
  return () => cancel();
}
