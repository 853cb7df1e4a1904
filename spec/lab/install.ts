import type { Progress } from './install/cache.ts';
import { buildControlPlane, findPrograms, goProblem, type Programs } from './install/control-plane.ts';
import { buildPython, findPython, pythonProblem } from './install/python.ts';
import { findTools, type Tools, toolsProblem, unpackTools } from './install/tools.ts';

/** Paths of everything that the laboratory runs. */
export interface Installed extends Tools {
  /** Program and first arguments of etcd, kube-apiserver and kube-controller-manager. */
  programs: Programs;
  /** The Python interpreter that has ministack and boto3. */
  python: string;
}

/** Something that the machine lacks. The message names each missing piece and its fix. */
export class MissingPrerequisite extends Error {}

/** Where everything is, or undefined when something has to be built first. Takes some milliseconds. */
export async function findInstalled(): Promise<Installed | undefined> {
  const [programs, python, tools] = await Promise.all([findPrograms(), findPython(), findTools()]);
  return programs && python && tools ? { programs, python, ...tools } : undefined;
}

/**
 * Finds everything and builds what is missing: the control plane (some minutes, once for all clones of a machine),
 * the Python environment, kubectl and helm.
 *
 * @param progress gets one line for every step, none when everything is there; default: standard error
 * @throws MissingPrerequisite at once, before anything is built
 */
export async function install(progress: Progress = toStandardError): Promise<Installed> {
  const found = await findInstalled();
  if (found) return found;
  await checkPrerequisites();
  await unpackTools(progress);
  if (!(await findPython())) await buildPython(progress);
  if (!(await findPrograms())) await buildControlPlane(progress);
  const built = await findInstalled();
  if (!built) throw new Error('the laboratory is not complete although every step succeeded');
  return built;
}

async function checkPrerequisites(): Promise<void> {
  const problems = [await toolsProblem()];
  // Python also unpacks the tools, so it is asked for whenever something is missing.
  problems.push(await pythonProblem());
  if (!(await findPrograms())) problems.push(await goProblem());
  const missing = problems.filter((problem) => problem !== undefined);
  if (missing.length > 0) throw new MissingPrerequisite(missing.join('\n'));
}

function toStandardError(line: string): void {
  process.stderr.write(`lab: ${line}\n`);
}

async function main(): Promise<void> {
  try {
    const installed = await install();
    process.stdout.write(`${JSON.stringify(installed, undefined, 2)}\n`);
  } catch (error) {
    process.stderr.write(`lab: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}

if (import.meta.main) await main();
