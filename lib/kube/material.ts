import { readFileSync } from 'node:fs';
import { RolevendError } from '../errors.ts';

/** PEM or a token: itself, or the file that holds it and may be replaced at any time. */
export type Material = { text: string } | { file: string };

/** A problem of the configuration: nothing works until somebody changes it. */
export function invalidConfig(message: string, cause?: unknown): RolevendError {
  return new RolevendError(message, { code: 'InvalidConfig', consequence: 'stop', cause });
}

/** The text of a material, read anew where it is a file. Throws `InvalidConfig`. */
export function readMaterial(from: Material): string {
  if ('text' in from) return from.text;
  try {
    return readFileSync(from.file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw invalidConfig(`${from.file}, which the connection to the API server needs, cannot be read (${code})`, error);
  }
}
