import { delimiter, dirname } from 'node:path';
import { type HelmVersion, pathOf } from '../chart/support.ts';
import type { AttachedControlPlane } from '../lab/index.ts';
import { run } from '../lab/install/run.ts';
import { root } from './pages.ts';

/** Builds and pushes an image: no container engine is at hand. */
const NEEDS_ENGINE = /^docker /;

/**
 * Runs the commands of a page one after the other, in the root of the repository, as its reader would. Gives what they
 * print. Those of a container engine are left out. Throws what a command says that fails.
 */
export async function follow(
  commands: readonly string[],
  { kubeconfig, kubectlPath }: AttachedControlPlane,
  version: HelmVersion,
): Promise<string> {
  const tools = [dirname(await pathOf(version)), dirname(kubectlPath)].join(delimiter);
  const env = { ...process.env, KUBECONFIG: kubeconfig, PATH: `${tools}${delimiter}${process.env['PATH']}` };
  let output = '';
  for (const command of commands.filter((one) => !NEEDS_ENGINE.test(one))) {
    // The pages say so where they show the flag.
    const own = version === 'Helm 3' ? command.replace(' --force-conflicts', '') : command;
    const { code, stdout, stderr } = await run(['sh', '-c', own], { cwd: root, env });
    if (code !== 0) throw new Error(`${own}: ${stderr}`);
    output += stdout;
  }
  return output;
}
