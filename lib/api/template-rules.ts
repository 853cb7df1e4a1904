import { includedKeys, type Output, outputSettings, ownKeys, writtenKeys } from './output.ts';
import { forTypes } from './output-rules.ts';
import { celLiteral, type Rule } from './rules.ts';
import { celIsType, type SecretType, secretTypeSchema } from './secret-type.ts';
import type { Template } from './template.ts';

interface Judged {
  secretType: SecretType;
  output?: Output | undefined;
  template?: Template | undefined;
}

const HAS_DATA = 'has(self.secretType) && has(self.template) && has(self.template.data)';
const OWN = `${celLiteral(forTypes((type) => ownKeys[type]))}[self.secretType]`;
/** One by one: the cost of walking a list that depends on two fields is estimated without bound. */
const INCLUDED_TWICE = secretTypeSchema.options
  .flatMap((type) => Object.entries(includedKeys[type] ?? {}).map(([entry, names]) => ({ type, entry, names })))
  .flatMap(({ type, entry, names }) =>
    names.map(
      (name) =>
        `(self.secretType == '${type}' && '${entry}' in self.output.include && '${name}' in self.template.data)`,
    ),
  )
  .join(' || ');
const FINAL = 'has(self.output) && has(self.output.keys) && o in self.output.keys ? self.output.keys[o] : o';

const taken = 'template.data has a key that the Secret has already by its secretType or output; choose another key';
const isFree = ({ secretType, output, template }: Judged) => {
  const written = ownKeys[secretType] === undefined ? [] : writtenKeys(secretType, outputSettings(output));
  return written.every((key) => !Object.hasOwn(template?.data ?? {}, key));
};

/** Rules of a spec about its `template`. */
export const templateRules: Rule<Judged>[] = [
  {
    cel: `!${celIsType('Template')} || (${HAS_DATA} && self.template.data.size() > 0)`,
    message: 'template.data is missing: secretType Template writes exactly its keys; name at least one',
    fieldPath: '.template.data',
    holds: ({ secretType, template }) => secretType !== 'Template' || Object.keys(template?.data ?? {}).length > 0,
  },
  {
    cel: `!${celIsType('EcrDockerConfigJson')} || !has(self.template) || !has(self.template.data)`,
    message:
      'template.data is set, but an image pull Secret has one key only; remove it, or use secretType Template with tokens',
    fieldPath: '.template.data',
    holds: ({ secretType, template }) => secretType !== 'EcrDockerConfigJson' || template?.data === undefined,
  },
  {
    cel: `!(${HAS_DATA}) || ${OWN}.all(o, !((${FINAL}) in self.template.data))`,
    message: taken,
    fieldPath: '.template.data',
    holds: (spec) => isFree({ ...spec, output: { ...spec.output, include: [] } }),
  },
  {
    cel: `!(${HAS_DATA}) || !has(self.output) || !has(self.output.include) || !(${INCLUDED_TWICE})`,
    message: taken,
    fieldPath: '.template.data',
    holds: isFree,
  },
];
