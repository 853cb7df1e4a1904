import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { awsAssumeRoleKind, roleGrantKind } from '../../lib/api/crd.ts';
import { controllerFlags } from '../../lib/config.ts';
import { crdYaml } from './crd-yaml.ts';
import { awsAssumeRoleExample, roleGrantExample } from './examples.ts';
import { flagsPage } from './flags-page.ts';
import { installManifest } from './manifests.ts';
import { referencePage } from './reference-page.ts';

/** A file of the repository that is made from code. */
export interface GeneratedFile {
  /** Relative to the root of the repository. */
  path: string;
  /** The whole content, the same at every call. */
  render(): string | Promise<string>;
}

const defaultGrant = fileURLToPath(new URL('../../manifests/grants/default.yaml', import.meta.url));

/**
 * Every generated file, in the order in which they are made: Helm reads only below its own directory, so the chart has
 * copies of what it installs, and the last ones are rendered from the chart. To add one, add an entry.
 */
export const generatedFiles: readonly GeneratedFile[] = [
  { path: 'manifests/crds/pincette.net_awsassumeroles.yaml', render: () => crdYaml(awsAssumeRoleKind) },
  { path: 'manifests/crds/rolevend.dev_rolegrants.yaml', render: () => crdYaml(roleGrantKind) },
  { path: 'docs/reference/awsassumerole.md', render: () => referencePage(awsAssumeRoleKind, awsAssumeRoleExample) },
  { path: 'docs/reference/rolegrant.md', render: () => referencePage(roleGrantKind, roleGrantExample) },
  { path: 'docs/reference/flags.md', render: () => flagsPage('rolevend controller', controllerFlags) },
  { path: 'chart/files/crds/pincette.net_awsassumeroles.yaml', render: () => crdYaml(awsAssumeRoleKind) },
  { path: 'chart/files/crds/rolevend.dev_rolegrants.yaml', render: () => crdYaml(roleGrantKind) },
  { path: 'chart/files/grants/default.yaml', render: () => readFile(defaultGrant, 'utf8') },
  { path: 'manifests/install.yaml', render: () => installManifest('install.yaml') },
  { path: 'manifests/install-namespaced.yaml', render: () => installManifest('install-namespaced.yaml') },
];
