import { stringify } from 'yaml';
import { customResourceDefinition, type Kind } from '../../lib/api/crd.ts';

/** The CRD of a kind as a YAML file. */
export function crdYaml(kind: Kind): string {
  const body = stringify(customResourceDefinition(kind), { lineWidth: 120, aliasDuplicateObjects: false });
  return `# Generated from lib/api by "make generate". Do not edit.\n${body}`;
}
