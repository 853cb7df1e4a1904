import type { RestartTarget } from '../../../lib/api/rollout-restart.ts';

/** A workload with the least that it needs, and an annotation of its own in its Pod template. */
export function workload({ kind, name }: RestartTarget): object {
  const labels = { app: name };
  const template = { metadata: { labels, annotations: { team: 'a' } }, spec: { containers: [{ name, image: name }] } };
  return { apiVersion: 'apps/v1', kind, metadata: { name }, spec: { selector: { matchLabels: labels }, template } };
}
