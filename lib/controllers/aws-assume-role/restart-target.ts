import { hash } from 'node:crypto';
import type { RestartTarget } from '../../api/rollout-restart.ts';
import type { Resource } from '../../kube/objects.ts';

/** Prefix of the annotation of a Pod template that tells for which data its Pods were started. */
const PREFIX = 'restart.rolevend.dev/';
/** Longest name of an annotation after its prefix (Kubernetes). */
const MAX_NAME = 63;
const HASH_LENGTH = 16;

const plurals = { Deployment: 'deployments', StatefulSet: 'statefulsets', DaemonSet: 'daemonsets' } as const;

/** Where workloads of this kind are served. */
export function workloads(kind: RestartTarget['kind']): Resource {
  return { group: 'apps', version: 'v1', plural: plurals[kind], kind, namespaced: true };
}

/**
 * The annotation that restarts for the AWSAssumeRole of this name. Each object has its own, so that two that name one
 * workload do not undo each other's for ever. A longer name ends in `_`, which no name has, and a hash of the whole.
 */
export function restartAnnotation(name: string): string {
  if (name.length <= MAX_NAME) return PREFIX + name;
  const digits = hash('sha256', name).slice(0, HASH_LENGTH);
  return `${PREFIX}${name.slice(0, MAX_NAME - HASH_LENGTH - 1)}_${digits}`;
}

/** For people: `Deployment "web"`. */
export function nameOf({ kind, name }: RestartTarget): string {
  return `${kind} "${name}"`;
}
