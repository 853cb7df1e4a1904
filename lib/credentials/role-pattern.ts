/** What `self` and `${namespace}` in a pattern stand for. */
export interface PatternContext {
  /** Namespace of the object that asks. */
  namespace: string;
  /** Account of the operator's own identity. */
  accountId: string;
  /** Partition of the operator's own identity. */
  partition: string;
}

/** A role pattern or a role ARN, taken apart. */
export interface RolePattern {
  partition: string;
  accountId: string;
  /** Parts of the path between the slashes; the last is the name of the role. */
  segments: string[];
  /** Whether the last part is `*` alone, which matches at any depth. */
  anyDepth: boolean;
}

const NAMESPACE = '${namespace}';
const ROLE_SEGMENT = /^[A-Za-z0-9_+=,.@-]+$/;
const PARTITION = /^aws(-[a-z0-9]+)*$/;
const ACCOUNT = /^[0-9]{12}$/;
/** Longest pattern or ARN that is looked at, in characters; the CRD allows no longer ones. */
const MAX_LENGTH = 640;

/** A role pattern, or undefined where the text is none. It accepts exactly what the CRD of RoleGrant accepts. */
export function parsePattern(text: string): RolePattern | undefined {
  const parts = split(text);
  if (parts === undefined) return undefined;
  const { partition, accountId, segments } = parts;
  if (partition !== 'self' && !PARTITION.test(partition)) return undefined;
  if (accountId !== 'self' && !ACCOUNT.test(accountId)) return undefined;
  if (!segments.every(isPatternSegment)) return undefined;
  return { ...parts, anyDepth: segments.at(-1) === '*' };
}

/**
 * Whether a role ARN is within a pattern. Case counts. A pattern or an ARN that is malformed matches nothing.
 * The time is bounded by pattern length × ARN length, at most 640 × 640 steps, whatever the pattern holds.
 */
export function matchRole(pattern: string, arn: string, context: PatternContext): boolean {
  const wanted = parsePattern(pattern);
  const role = parseArn(arn);
  if (wanted === undefined || role === undefined) return false;
  if (role.partition !== own(wanted.partition, context.partition)) return false;
  if (role.accountId !== own(wanted.accountId, context.accountId)) return false;
  return matchSegments(wanted, role.segments, context.namespace);
}

/** Whether the whole text fits a glob in which `*` stands for any run of characters, also an empty one. */
export function matchGlob(glob: string, text: string): boolean {
  let g = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    if (glob[g] === '*') {
      star = g++;
      resume = t;
    } else if (g < glob.length && glob[g] === text[t]) {
      g++;
      t++;
    } else if (star >= 0) {
      // Only the last star ever needs to give way: what earlier ones matched stays valid.
      g = star + 1;
      t = ++resume;
    } else return false;
  }
  while (glob[g] === '*') g++;
  return g === glob.length;
}

function matchSegments(pattern: RolePattern, role: string[], namespace: string): boolean {
  const fixed = pattern.anyDepth ? pattern.segments.slice(0, -1) : pattern.segments;
  if (pattern.anyDepth ? role.length <= fixed.length : role.length !== fixed.length) return false;
  return fixed.every((segment, index) => matchSegment(segment, role[index] ?? '', namespace));
}

function matchSegment(segment: string, text: string, namespace: string): boolean {
  return segment === NAMESPACE ? text === namespace : matchGlob(segment, text);
}

/** The ARN of a role, or undefined where the text is none. */
function parseArn(text: string): Omit<RolePattern, 'anyDepth'> | undefined {
  const parts = split(text);
  if (parts === undefined || !PARTITION.test(parts.partition) || !ACCOUNT.test(parts.accountId)) return undefined;
  return parts.segments.every(isRoleSegment) ? parts : undefined;
}

function split(text: string): Omit<RolePattern, 'anyDepth'> | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const [arn, partition, service, region, accountId, resource, ...rest] = text.split(':');
  if (arn !== 'arn' || service !== 'iam' || region !== '' || rest.length > 0) return undefined;
  if (partition === undefined || accountId === undefined || !resource?.startsWith('role/')) return undefined;
  return { partition, accountId, segments: resource.slice('role/'.length).split('/') };
}

function own(value: string, self: string): string {
  return value === 'self' ? self : value;
}

function isPatternSegment(segment: string): boolean {
  if (segment === NAMESPACE) return true;
  return !segment.includes('**') && isRoleSegment(segment.replaceAll('*', '_'));
}

/** Whether a text can be one part of the path of a role. */
function isRoleSegment(segment: string): boolean {
  return ROLE_SEGMENT.test(segment) && segment !== '.' && segment !== '..';
}
