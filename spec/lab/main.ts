import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../lib/clock.ts';
import { type LabAws, startAws } from './aws/index.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import { temporaryDirectory } from './guard.ts';
import { install, MissingPrerequisite } from './install.ts';
import { describe } from './shared.ts';

/** A hub, a second cluster and AWS. */
interface Lab {
  hub: ControlPlane;
  target: ControlPlane;
  aws: LabAws;
}

/** A line for a shell, whatever the value holds. */
function exportLine(name: string, value: string): string {
  return `export ${name}='${value.replaceAll("'", String.raw`'\''`)}'\n`;
}

/** AWS trusts the tokens of both clusters, as an account with an OIDC provider for each. */
async function trust(aws: LabAws, plane: ControlPlane): Promise<void> {
  aws.gateway.trustIssuer({ issuer: plane.issuer, caFile: plane.caFile });
  await aws.oidcProvider(plane.issuer);
}

async function start(): Promise<Lab> {
  await install();
  const [hub, target, aws] = await Promise.all([
    startControlPlane({ name: 'hub', audit: true }),
    startControlPlane({ name: 'second' }),
    startAws(),
  ]);
  await trust(aws, hub);
  await trust(aws, target);
  return { hub, target, aws };
}

/** What the operator and the usual clients read; the operator's own user may do nothing but assume roles. */
async function settings({ hub, target, aws }: Lab): Promise<string> {
  const operator = await aws.operatorUser();
  const tools = [join(hub.kubectlPath, '..'), join(hub.helmPath, '..')].join(':');
  const variables = {
    KUBECONFIG: hub.kubeconfig,
    KUBECONFIG_SECOND: target.kubeconfig,
    ...aws.environment(operator),
    ROLEVEND_LAB: describe(hub),
  };
  const lines = Object.entries(variables).map(([name, value]) => exportLine(name, value));
  return [...lines, `export PATH='${tools}':"$PATH"\n`].join('');
}

function text(lab: Lab, file: string, exports: string): string {
  const { accessKeyId, secretAccessKey } = lab.aws.adminCredentials;
  return `
${exports}
# Or in one go: . ${file}
#
# hub             ${lab.hub.server} (audit log, data and logs in ${lab.hub.dir})
# second cluster  ${lab.target.server} (KUBECONFIG_SECOND)
# AWS             ${lab.aws.endpoint}, account ${lab.aws.accountId}; the exported user may only assume roles
# AWS with all rights: AWS_ACCESS_KEY_ID=${accessKeyId} AWS_SECRET_ACCESS_KEY=${secretAccessKey}
# Tests use this hub instead of one of their own where ROLEVEND_LAB is set.
#
# Ctrl-C ends everything.
`;
}

/** Resolves at Ctrl-C or SIGTERM, and keeps Node running until then. A second Ctrl-C ends the process at once. */
function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    const keepRunning = () => systemClock.after(60_000, keepRunning);
    keepRunning();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}

async function main(): Promise<void> {
  // A signal while things start ends the process; the guards then end whatever was started.
  const lab = await start();
  const end = interrupted();
  const directory = await temporaryDirectory('rolevend-lab-settings-');
  const exports = await settings(lab);
  const file = join(directory.path, 'env');
  await writeFile(`${file}.new`, exports, { mode: 0o600 });
  await rename(`${file}.new`, file);
  process.stdout.write(text(lab, file, exports));
  await end;
  process.stdout.write('\nending\n');
  await Promise.all([lab.hub.stop(), lab.target.stop(), lab.aws.stop(), directory.remove()]);
  process.exit(0);
}

try {
  await main();
} catch (error) {
  const message = error instanceof MissingPrerequisite ? error.message : error;
  process.stderr.write(`lab: ${message instanceof Error ? message.stack : message}\n`);
  process.exit(1);
}
