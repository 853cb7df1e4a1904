import { includedKeys, type Output, ownKeys } from './output.ts';
import { celLiteral, type Rule } from './rules.ts';
import { type SecretType, secretTypeSchema } from './secret-type.ts';

interface Judged {
  secretType: SecretType;
  output?: Output | undefined;
}

/** Something for each Secret type. */
export function forTypes(names: (type: SecretType) => readonly string[]): Record<SecretType, readonly string[]> {
  const entries = secretTypeSchema.options.map((type) => [type, names(type)] as const);
  return Object.fromEntries(entries) as Record<SecretType, readonly string[]>;
}

const includable = forTypes((type) => Object.keys(includedKeys[type] ?? {}));
/** A type whose form has no room for extras has none for other names either. */
const renamable = forTypes((type) => (includedKeys[type] === undefined ? [] : ownKeys[type]));
const defaultNames = forTypes((type) => [...renamable[type], ...Object.values(includedKeys[type] ?? {}).flat()]);
const nameList = Object.entries(renamable)
  .filter(([, names]) => names.length > 0)
  .map(([type, names]) => `${names.join(', ')} (${type})`)
  .join('; ');
const byType = (names: Readonly<Record<string, readonly string[]>>) => `${celLiteral(names)}[self.secretType]`;
const hasField = (name: keyof Output) => `has(self.secretType) && has(self.output) && has(self.output.${name})`;

/** Rules of a spec about its `output`. */
export const outputRules: Rule<Judged>[] = [
  {
    cel: `!(${hasField('keys')}) || self.output.keys.all(k, k in ${byType(renamable)})`,
    message: `output.keys renames a key that this secretType does not have; there are ${nameList}`,
    fieldPath: '.output.keys',
    holds: ({ secretType, output }) =>
      Object.keys(output?.keys ?? {}).every((key) => renamable[secretType]?.includes(key) ?? true),
  },
  {
    cel: `!(${hasField('keys')}) || self.output.keys.all(k, !(self.output.keys[k] in ${byType(defaultNames)}))`,
    message: 'output.keys has a new name that this secretType uses itself by default; choose another name',
    fieldPath: '.output.keys',
    holds: ({ secretType, output }) =>
      Object.values(output?.keys ?? {}).every((name) => !(defaultNames[secretType]?.includes(name) ?? false)),
  },
  {
    cel: `!(${hasField('include')}) || self.output.include.all(i, i in ${byType(includable)})`,
    message:
      'output.include has an entry that does not go with this secretType; expiration, region and roleArn go with Map, File, Env and Process, config with File and Process',
    fieldPath: '.output.include',
    holds: ({ secretType, output }) =>
      (output?.include ?? []).every((entry) => includable[secretType]?.includes(entry) ?? true),
  },
  {
    cel: `!(${hasField('profile')}) || self.secretType in ['File', 'Process']`,
    message: 'output.profile is set, but this secretType has no profiles; remove it, or use File or Process',
    fieldPath: '.output.profile',
    holds: ({ secretType, output }) => output?.profile === undefined || ['File', 'Process'].includes(secretType),
  },
  {
    cel: `!(${hasField('mountPath')}) || self.secretType == 'Process'`,
    message: 'output.mountPath is set, but only secretType Process names a path; remove it, or use Process',
    fieldPath: '.output.mountPath',
    holds: ({ secretType, output }) => output?.mountPath === undefined || secretType === 'Process',
  },
];
