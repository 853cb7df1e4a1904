import * as z from 'zod';

/** The forms in which credentials are written. New ones come last, since the order stands in messages. */
export const secretTypeSchema = z.enum(['Map', 'File', 'EcrDockerConfigJson', 'Env', 'Process', 'Template']);

/** A form in which credentials are written. */
export type SecretType = z.infer<typeof secretTypeSchema>;

/** Default of `durationSeconds`, in seconds. */
export const DEFAULT_DURATION_SECONDS = 900;

/**
 * Least and default `durationSeconds` of type `Process`, in seconds. botocore asks for a new credential 15 minutes before
 * the end of the old one, the AWS SDK for JavaScript 5 minutes: of an hour that leaves most, of 900 s nothing.
 */
export const PROCESS_DURATION_SECONDS = 3600;

/** Seconds to ask STS for where the object does not say. */
export function defaultDurationSeconds(type: SecretType): number {
  return type === 'Process' ? PROCESS_DURATION_SECONDS : DEFAULT_DURATION_SECONDS;
}

/** CEL over a spec: whether its Secret type is this one. */
export function celIsType(type: SecretType): string {
  return `(has(self.secretType) && self.secretType == '${type}')`;
}
