import { join } from 'node:path';
import {
  type ControlPlane,
  install,
  type Keys,
  type LabAws,
  startAws,
  startControlPlane,
  temporaryDirectory,
  trustPrincipals,
} from '../index.ts';
import { startProjector } from '../projector.ts';
import { type OperatorProcess, startOperatorProcess } from './operator.ts';
import type { Screen } from './screen.ts';

/** The namespace that the examples are made for. */
export const NAMESPACE = 'team-a';

/** Everything that a demonstration runs on. */
export interface Stage {
  plane: ControlPlane;
  aws: LabAws;
  operator: OperatorProcess;
  /** The directory in which the Secret of examples/file.yaml is mounted, the way a kubelet does it. */
  mount: string;
  /** An empty home for clients. */
  home: string;
  python: string;
}

/** What has been started and how it ends, last first. */
export type Endings = (() => Promise<unknown>)[];

/** Starts Kubernetes, AWS with sessions of so many seconds, and the operator; says each on the screen. */
export async function openStage(screen: Screen, seconds: number, endings: Endings): Promise<Stage> {
  const { python } = await install();
  screen.section('Kubernetes and AWS');
  const plane = await screen.step('starting Kubernetes', startControlPlane, (started) => {
    return `A real Kubernetes API server with etcd and controllers, at ${started.server}`;
  });
  endings.push(() => plane.stop());
  const aws = await screen.step('starting AWS', startAws, (started) => {
    return `AWS of the laboratory, account ${started.accountId}: it checks signatures and IAM policies`;
  });
  endings.push(() => aws.stop());
  aws.gateway.sessionSeconds(seconds);
  aws.gateway.ecrTokenSeconds(seconds);
  const keys = await screen.step('creating IAM roles', () => createRoles(aws), rolesText);
  const directory = await temporaryDirectory('rolevend-demo-');
  endings.push(() => directory.remove());
  const mount = join(directory.path, 'mount');
  const operator = await startOperator(screen, plane, aws.environment(keys), directory.path);
  endings.push(() => operator.process.stop());
  return { plane, aws, operator, mount, home: directory.path, python };
}

/** Keeps the mount equal to the Secret, as the kubelet of a node would. */
export async function mountSecret({ plane, mount }: Stage, name: string, endings: Endings): Promise<void> {
  const { kubeconfig } = plane;
  const projector = await startProjector({ kubeconfig, namespace: NAMESPACE, name, directory: mount });
  endings.push(() => projector.stop());
  await projector.sync();
}

async function startOperator(screen: Screen, plane: ControlPlane, aws: Record<string, string>, directory: string) {
  screen.section('The operator');
  const start = () => startOperatorProcess({ kubeconfig: plane.kubeconfig, aws, directory });
  return await screen.step('starting dist/rolevend.mjs controller', start, ({ url }) => {
    return `dist/rolevend.mjs controller is a process of its own and ready (${url}/readyz)`;
  });
}

/** The roles of the examples, and the user that the operator is. */
async function createRoles(aws: LabAws): Promise<Keys> {
  const user = await aws.operatorUser();
  const terms = { trust: trustPrincipals(user.arn), path: `/${NAMESPACE}/` };
  await aws.createRole('reports', terms);
  await aws.createRole('backup', terms);
  await aws.createRole('puller', { ...terms, policies: ['ecr:GetAuthorizationToken'] });
  return user;
}

function rolesText(): string {
  return `IAM roles ${NAMESPACE}/reports, backup and puller, which trust the operator`;
}
