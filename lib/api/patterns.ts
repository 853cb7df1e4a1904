import { celString, mustMatch, mustNotMatch, type Rule } from './rules.ts';

/** Characters that IAM allows in the path and name of a role. */
export const ROLE_PATH = '[\\w+=,.@/-]+';
/** A partition: `aws`, `aws-cn`, `aws-us-gov` and whatever AWS adds. */
export const PARTITION = 'aws(-[a-z0-9]+)*';
/** A path that no role can have: an empty segment, or `.` or `..` as a segment. */
const BAD_SEGMENTS = '^/|/$|//|(^|/)\\.{1,2}(/|$)';
/** A DNS label as Kubernetes uses it in names and in the prefix of label keys. */
const DNS_LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const DNS_SUBDOMAIN = `${DNS_LABEL}(\\.${DNS_LABEL})*`;
const QUALIFIED_NAME = `^(${DNS_SUBDOMAIN}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`;
const LABEL_VALUE = '^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$';
/** Prefixes of label and annotation keys that Kubernetes and this operator keep for themselves. */
const RESERVED_KEY = '^(([^/]*\\.)?(kubernetes\\.io|k8s\\.io|rolevend\\.dev)/|aws-assume-role$)';

/** Rules of `roleName`. */
export const roleNameRules: Rule<string>[] = [
  mustMatch(
    `^${ROLE_PATH}$`,
    "roleName is empty or has characters that IAM does not allow; use letters, digits and _+=,.@- with '/' between the parts of a path, e.g. team-a/reader",
  ),
  mustNotMatch(
    BAD_SEGMENTS,
    "roleName has a leading or trailing '/', an empty part ('//'), or the part '.' or '..'; write it as path/name, e.g. team-a/reader",
  ),
];

/** Rules of `roleArn`. */
export const roleArnRules: Rule<string>[] = [
  mustMatch(
    `^arn:${PARTITION}:iam::[0-9]{12}:role/${ROLE_PATH}$`,
    'roleArn is not the ARN of an IAM role; write arn:<partition>:iam::<account of 12 digits>:role/<path/name>, e.g. arn:aws:iam::123456789012:role/team-a/reader',
  ),
  mustNotMatch(
    '//|/$|/\\.{1,2}(/|$)',
    "roleArn has an empty part ('//'), a trailing '/', or the part '.' or '..' in its path; write arn:<partition>:iam::<account>:role/<path/name>",
  ),
];

/** Rules of a name that must be a DNS subdomain, such as a Secret's. */
export function dnsNameRules(field: string): Rule<string>[] {
  return [
    mustMatch(
      `^${DNS_SUBDOMAIN}$`,
      `${field} is not a DNS name; use lower-case letters, digits, '-' and '.', starting and ending with a letter or digit, e.g. my-credentials`,
    ),
  ];
}

/** Rules of an AWS Region. It becomes part of the host that signed requests go to. */
export function regionRules(field: string): Rule<string>[] {
  return [
    mustMatch('^[a-z]{2,}(-[a-z0-9]+)+-[0-9]{1,2}$', `${field} is not an AWS Region; write its code, e.g. eu-west-1`),
  ];
}

/** Rules of a map whose keys are copied to a Secret as labels or annotations. */
export function copiedKeyRules(field: string): Rule<Record<string, string>>[] {
  const reserved = new RegExp(RESERVED_KEY);
  return [
    keysMatch(
      `${field} has a key that Kubernetes does not accept; write [prefix/]name with a DNS name as prefix and at most 63 letters, digits, '-', '_' or '.' as name`,
    ),
    {
      cel: `self.all(k, k.startsWith('app.kubernetes.io/') || !k.matches(${celString(RESERVED_KEY)}))`,
      message: `${field} has a reserved key: kubernetes.io/, k8s.io/, rolevend.dev/ and their subdomains and the key aws-assume-role are not copied; use a prefix of your own (app.kubernetes.io/ is allowed)`,
      holds: (map) => Object.keys(map).every((key) => key.startsWith('app.kubernetes.io/') || !reserved.test(key)),
    },
  ];
}

/** The keys of a map must be label keys. */
export function keysMatch(message: string): Rule<Record<string, string>> {
  const key = new RegExp(QUALIFIED_NAME);
  return {
    cel: `self.all(k, k.matches(${celString(QUALIFIED_NAME)}))`,
    message,
    holds: (map) => Object.keys(map).every((name) => key.test(name)),
  };
}

/** A label key on its own. */
export function labelKeyRule(message: string): Rule<string> {
  return mustMatch(QUALIFIED_NAME, message);
}

/** A label value on its own. */
export function labelValueRule(message: string): Rule<string> {
  return mustMatch(LABEL_VALUE, message);
}
