import type { BaseCredentials } from './options.ts';

const values = [
  ['accessKeyId', 'access key id', 'AWS_ACCESS_KEY_ID'],
  ['secretAccessKey', 'secret access key', 'AWS_SECRET_ACCESS_KEY'],
  ['sessionToken', 'session token', 'AWS_SESSION_TOKEN'],
] as const;

/**
 * Says which value of credentials can never be right, and why; undefined where none is so. AWS makes them of visible ASCII, and
 * what was pasted or read from a file often ends in a line break. No request can hold that, or its signature is wrong.
 */
export function credentialProblem(credentials: BaseCredentials): string | undefined {
  for (const [field, name, variable] of values) {
    const why = problemOf(credentials[field]);
    if (why !== undefined)
      return `the ${name} ${why}. Correct it where it comes from (${variable}, the shared credentials file or the process that gives it).`;
  }
  return undefined;
}

function problemOf(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (value === '') return 'is empty';
  if (/[\r\n]$/.test(value)) return 'ends in a line break';
  if (/\s/.test(value)) return 'holds white space';
  return /[^\x21-\x7e]/.test(value) ? 'holds a character that is no visible ASCII' : undefined;
}
