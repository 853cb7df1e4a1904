/** Where the token of a registry comes from. */
export type Registry =
  | { kind: 'private'; accountId: string; region: string }
  /** public.ecr.aws: another API, in us-east-1. */
  | { kind: 'public' }
  /** A PrivateLink endpoint, a mirror: the host tells neither account nor Region. */
  | { kind: 'unknown' };

const REGION = '[a-z]{2,}(?:-[a-z0-9]+)+-\\d{1,2}';

/** Domain suffixes of the partitions, for the classic host names. */
const SUFFIXES = [
  'amazonaws\\.com',
  'amazonaws\\.com\\.cn',
  'c2s\\.ic\\.gov',
  'sc2s\\.sgov\\.gov',
  'cloud\\.adc-e\\.uk',
  'csp\\.hci\\.ic\\.gov',
  'amazonaws\\.eu',
].join('|');
/** Domain suffixes of the dual-stack host names. */
const DUAL_STACK_SUFFIXES = ['on\\.aws', 'on\\.amazonwebservices\\.com\\.cn'].join('|');

const CLASSIC = new RegExp(`^(\\d{12})\\.dkr\\.ecr(?:-fips)?\\.(${REGION})\\.(?:${SUFFIXES})$`);
const DUAL_STACK = new RegExp(`^(\\d{12})\\.dkr-ecr(?:-fips)?\\.(${REGION})\\.(?:${DUAL_STACK_SUFFIXES})$`);
const PUBLIC = new Set(['public.ecr.aws', 'ecr-public.aws.com']);
/** Longest host name of DNS; more is not looked at. */
const MAX_HOST = 253;

/** Reads a registry or repository URL, with or without scheme, port and path. Account and Region come from the host. */
export function parseRegistry(url: string): Registry {
  const host = hostOf(url);
  if (host.length > MAX_HOST) return { kind: 'unknown' };
  if (PUBLIC.has(host)) return { kind: 'public' };
  const [, accountId, region] = CLASSIC.exec(host) ?? DUAL_STACK.exec(host) ?? [];
  if (accountId === undefined || region === undefined) return { kind: 'unknown' };
  return { kind: 'private', accountId, region };
}

function hostOf(url: string): string {
  const [authority = ''] = url.replace(/^[a-z]+:\/\//i, '').split('/', 1);
  return authority.replace(/:\d+$/, '').toLowerCase();
}
