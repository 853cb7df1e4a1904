/** The kinds of policy that AWS names, in its words (https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html). */
export const policyKinds = [
  'service control policy',
  'resource control policy',
  'VPC endpoint policy',
  'permissions boundary',
  'session policy',
  'identity-based policy',
  'resource-based policy',
  'role trust policy',
] as const;
export type PolicyKind = (typeof policyKinds)[number];

/** Why a request was denied. */
export interface Denial {
  /** A statement denies it. False: no statement of such a policy allows it. */
  explicit: boolean;
  /** The kind of policy that decided; undefined where AWS names none. */
  kind?: PolicyKind | undefined;
}

/** The plural is for policies of which there may be several. */
const names = policyKinds.map((kind) =>
  kind.replace(/policy$/, 'polic(?:y|ies)').replace(/boundary$/, 'boundar(?:y|ies)'),
);
const EXPLICIT = new RegExp(`\\bexplicit deny in (?:an? |the )?(${names.join('|')})\\b`, 'i');
const MISSING = new RegExp(`\\bbecause no (${names.join('|')}) allows?\\b`, 'i');

/**
 * Reads from AWS's text which kind of policy denied, and nothing else: the text quotes the request. Undefined where it does
 * not say why, as STS does for roles of other accounts.
 */
export function denialIn(text: string): Denial | undefined {
  const explicit = EXPLICIT.exec(text)?.[1];
  if (explicit !== undefined) return { explicit: true, kind: kindOf(explicit) };
  const missing = MISSING.exec(text)?.[1];
  if (missing !== undefined) return { explicit: false, kind: kindOf(missing) };
  return /\bexplicit deny\b/i.test(text) ? { explicit: true } : undefined;
}

function kindOf(words: string): PolicyKind | undefined {
  const singular = words.toLowerCase().replace(/ies$/, 'y');
  return policyKinds.find((kind) => kind.toLowerCase() === singular);
}
