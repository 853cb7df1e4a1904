import { oneLine } from './text.ts';

/**
 * One section of an AWS config or credentials file. Lines are joined by one `\n`, with no line end after the last one,
 * no blanks around `=` and no quotes ever: readers take quotes for part of the value.
 * @throws RolevendError `InvalidCredentials` (stop) for a value with a control character; it names the key alone
 */
export function iniSection(name: string, values: Readonly<Record<string, string>>): string {
  return [`[${name}]`, ...Object.entries(values).map(([key, value]) => `${key}=${oneLine(key, value)}`)].join('\n');
}
