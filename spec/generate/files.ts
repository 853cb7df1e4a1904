import { awsAssumeRoleKind, roleGrantKind } from '../../lib/api/crd.ts';
import { controllerFlags } from '../../lib/config.ts';
import { crdYaml } from './crd-yaml.ts';
import { awsAssumeRoleExample, roleGrantExample } from './examples.ts';
import { flagsPage } from './flags-page.ts';
import { referencePage } from './reference-page.ts';

/** A file of the repository that is made from code. */
export interface GeneratedFile {
  /** Relative to the root of the repository. */
  path: string;
  /** The whole content, the same at every call. */
  render(): string;
}

/** Every generated file. To add one, add an entry. */
export const generatedFiles: readonly GeneratedFile[] = [
  { path: 'manifests/crds/pincette.net_awsassumeroles.yaml', render: () => crdYaml(awsAssumeRoleKind) },
  { path: 'manifests/crds/rolevend.dev_rolegrants.yaml', render: () => crdYaml(roleGrantKind) },
  { path: 'docs/reference/awsassumerole.md', render: () => referencePage(awsAssumeRoleKind, awsAssumeRoleExample) },
  { path: 'docs/reference/rolegrant.md', render: () => referencePage(roleGrantKind, roleGrantExample) },
  { path: 'docs/reference/flags.md', render: () => flagsPage('rolevend controller', controllerFlags) },
];
