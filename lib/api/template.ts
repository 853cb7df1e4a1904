import * as z from 'zod';
import { SECRET_KEY } from './output.ts';
import { boundedMap, celString } from './rules.ts';

/** Names that stand for a part of the session. A template that uses one ends with the session. */
export const sessionNames = [
  'accessKeyId',
  'secretAccessKey',
  'sessionToken',
  'expiration',
  'expirationUnix',
  'issuedAt',
] as const;

/** Names that stand for what stays the same from session to session. */
export const lastingNames = ['region', 'roleArn', 'accountId'] as const;

/** `$${`, or `${` with all up to the next `}`; without one up to the end. */
const PLACEHOLDER = /\$\$\{|\$\{([^}]*)(\}?)/g;

/**
 * The text with every `${name}` replaced by what `textFor` gives for the name, and `$${` by `${`. Nothing else means
 * anything. A `${` without `}` counts as a name with all that follows it, `${` included, which none can be called.
 */
export function substitute(text: string, textFor: (name: string) => string): string {
  return text.replace(PLACEHOLDER, (found: string, name: string | undefined, end: string | undefined) => {
    if (name === undefined) return '${';
    return textFor(end === '}' ? name : found);
  });
}

/** The names that stand in a text, each as often as it does. */
export function namesIn(text: string): string[] {
  const names: string[] = [];
  substitute(text, (name) => {
    names.push(name);
    return '';
  });
  return names;
}

const data = boundedMap(z.string().max(2048), 32, [
  {
    cel: `self.all(k, k.matches(${celString(SECRET_KEY)}))`,
    message:
      "template.data has a key that Kubernetes does not accept; use at most 253 letters, digits, '-', '_' and '.', not starting with two dots",
    holds: (map) => Object.keys(map).every((key) => new RegExp(SECRET_KEY).test(key)),
  },
]);

/** Schema of `spec.template`. */
export const templateSchema = z
  .object({
    data: data.optional().meta({
      description: `Keys to add to the Secret, with secretType Template its only ones. In a value \${name} stands for: ${[...sessionNames, ...lastingNames].join(', ')}. For an entry of tokens it stands for name.username, name.password and so on. Times are RFC 3339, expirationUnix is in seconds. $\${ is a literal \${. There are no functions: a value that has to be encoded is to be supplied so. Default: none. At most 32 keys, values of at most 2048 characters.`,
    }),
  })
  .meta({ description: 'Keys of your own. Refused for EcrDockerConfigJson.' });

/** `spec.template` as users write it. */
export type Template = z.infer<typeof templateSchema>;

/** Texts of `template.data` by key. Objects that were stored before the schema may hold anything. */
export function templateTexts(template: Template | undefined): [string, string][] {
  return Object.entries(template?.data ?? {}).filter((entry) => typeof entry[1] === 'string');
}

/**
 * What is wrong with the names in a template, or undefined where nothing is. No rule of the API server says it, since it
 * has no means to list what is known.
 */
export function templateProblem(template: Template | undefined, known: readonly string[]): string | undefined {
  for (const [key, text] of templateTexts(template)) {
    const unknown = namesIn(text).find((name) => !known.includes(name));
    if (unknown === undefined) continue;
    const what = unknown.startsWith('${') ? 'has a ${ without }' : `uses the unknown name ${shown(unknown)}`;
    return `spec.template.data.${key} ${what}; known are ${known.join(', ')}; write $\${ for a literal \${`;
  }
  return undefined;
}

/** Users' text in a message: on one line and not too long. */
function shown(name: string): string {
  return JSON.stringify(name.length > 64 ? `${name.slice(0, 64)}…` : name);
}
