import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildOnce, cacheRoot, exists, hashOf, type Progress } from './cache.ts';
import { run, runWithProgress } from './run.ts';

const REQUIREMENTS = fileURLToPath(new URL('../aws/requirements.txt', import.meta.url));

/** The Python interpreter of the laboratory's virtual environment, or undefined when it is not built yet. */
export async function findPython(): Promise<string | undefined> {
  const directory = await environment();
  return (await complete(directory)) ? interpreter(directory) : undefined;
}

/** Makes the virtual environment with everything of `spec/lab/aws/requirements.txt`, unless it is there. */
export async function buildPython(progress: Progress): Promise<void> {
  const directory = await environment();
  await buildOnce(
    join(directory, '..'),
    () => complete(directory),
    () => create(directory, progress),
    progress,
  );
}

/** What is missing to make a virtual environment, with the fix, or undefined when nothing is. */
export async function pythonProblem(): Promise<string | undefined> {
  const { code } = await run(['python3', '-c', 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))']);
  if (code === 0) return undefined;
  const fix =
    'Fix: install Python 3.10 or newer with it ("apt-get install python3 python3-venv", "brew install python").';
  if (code === 127) return `python3 is not on the PATH. The laboratory's AWS runs on it. ${fix}`;
  return `python3 is older than 3.10 or lacks its venv module. The laboratory's AWS runs on it. ${fix}`;
}

async function create(directory: string, progress: Progress): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await runWithProgress('making the Python environment', ['python3', '-m', 'venv', directory], progress);
  const command = [interpreter(directory), '-m', 'pip', 'install', '--quiet', '--requirement', REQUIREMENTS];
  await runWithProgress('installing the Python packages of the AWS stand-in', command, progress);
  await writeFile(marker(directory), '');
}

async function environment(): Promise<string> {
  return join(cacheRoot(), await hashOf([REQUIREMENTS], [process.platform, process.arch]), 'venv');
}

/** An environment cannot be renamed, since its scripts name its path; a marker file says that it is whole. */
function marker(directory: string): string {
  return join(directory, '.complete');
}

/** The interpreter is a link to the machine's Python: it dangles after that was removed. */
async function complete(directory: string): Promise<boolean> {
  return (await exists(marker(directory))) && (await exists(interpreter(directory)));
}

function interpreter(directory: string): string {
  return join(directory, 'bin', 'python3');
}
