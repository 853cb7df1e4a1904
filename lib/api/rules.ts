import * as z from 'zod';

/**
 * One judgement about a value, in both languages that must agree: CEL for the API server, which refuses new objects,
 * and code for objects that were stored before the rule existed. The message names the field, the problem and the fix.
 */
export interface Rule<T> {
  /** CEL expression over `self`; it must stay within the cost budget, so everything it walks is bounded. */
  cel: string;
  message: string;
  holds(value: T): boolean;
  /** Where the problem is shown when the rule stands on a parent, such as `.refresh.minRemainingSeconds`. */
  fieldPath?: string;
  /** Whether an object that was stored before the rule existed goes on as it did, and is only told. Default false. */
  isKept?: boolean;
}

/** Attaches rules to a schema: as refinements for code, and as `x-kubernetes-validations` for the generated CRD. */
export function ruled<S extends z.ZodType>(schema: S, rules: readonly Rule<z.output<S>>[]): S {
  if (rules.length === 0) return schema;
  let checked = schema;
  for (const rule of rules) {
    const path = rule.fieldPath?.split('.').filter((part) => part !== '') ?? [];
    checked = checked.refine((value) => rule.holds(value), {
      message: rule.message,
      path,
      params: { isKept: rule.isKept === true },
    });
  }
  const validations = rules.map(({ cel, message, fieldPath }) => ({
    rule: cel,
    message,
    ...(fieldPath === undefined ? {} : { fieldPath }),
  }));
  return checked.meta({ ...schema.meta(), 'x-kubernetes-validations': validations });
}

/** Text as a CEL string literal. */
export function celString(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/** Strings, lists and maps of them as a CEL literal. */
export function celLiteral(value: CelValue): string {
  if (typeof value === 'string') return celString(value);
  if (isList(value)) return `[${value.map(celLiteral).join(', ')}]`;
  const entries = Object.entries(value).map(([key, entry]) => `${celString(key)}: ${celLiteral(entry)}`);
  return `{${entries.join(', ')}}`;
}

type CelValue = string | readonly CelValue[] | { readonly [key: string]: CelValue };

function isList(value: CelValue): value is readonly CelValue[] {
  return Array.isArray(value);
}

/** The string must match a regular expression that RE2 and JavaScript read in the same way. */
export function mustMatch(pattern: string, message: string): Rule<string> {
  const expression = new RegExp(pattern);
  return { cel: `self.matches(${celString(pattern)})`, message, holds: (value) => expression.test(value) };
}

/** The string must not match a regular expression that RE2 and JavaScript read in the same way. */
export function mustNotMatch(pattern: string, message: string): Rule<string> {
  const { cel, holds } = mustMatch(pattern, message);
  return { cel: `!${cel}`, message, holds: (value) => !holds(value) };
}

/** The string must not start with a prefix that the operator keeps for itself. */
export function mustNotStartWith(prefix: string, message: string): Rule<string> {
  return { cel: `!self.startsWith(${celString(prefix)})`, message, holds: (value) => !value.startsWith(prefix) };
}

/** A map from string to `value` with at most `maxProperties` keys. Rules over its keys need that bound. */
export function boundedMap<V extends z.ZodType>(
  value: V,
  maxProperties: number,
  rules: readonly Rule<Record<string, z.output<V>>>[] = [],
) {
  const message = `must have at most ${maxProperties} items`;
  const map = z
    .record(z.string(), value)
    .refine((entries) => Object.keys(entries).length <= maxProperties, { message });
  return ruled(map.meta({ maxProperties }), rules as never);
}

/** Which problems are meant: all, or only those that an object may keep (`Rule.isKept`), or only the others. */
export type Meant = 'all' | 'kept' | 'others';

/** What is wrong with `value` by `schema`, one line per problem as `<path>: <problem>`; empty when nothing is. */
export function problems(schema: z.ZodType, value: unknown, root: string, meant: Meant = 'all'): string[] {
  const result = schema.safeParse(value, { error: describeIssue });
  if (result.success) return [];
  const issues = result.error.issues.filter((issue) => meant === 'all' || isKept(issue) === (meant === 'kept'));
  return issues.map((issue) => `${root}${issue.path.map(step).join('')}: ${issue.message}`);
}

function isKept(issue: z.core.$ZodIssue): boolean {
  return issue.code === 'custom' && issue.params?.['isKept'] === true;
}

function step(part: PropertyKey): string {
  return typeof part === 'number' ? `[${part}]` : `.${String(part)}`;
}

/** zod's names of types where OpenAPI has others; every number of ours is an integer. */
const typeNames: Readonly<Record<string, string>> = { number: 'integer', int: 'integer', record: 'object' };

/** Structural problems in the API server's own words, so that users meet one wording. */
function describeIssue(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_type') {
    return issue.input === undefined
      ? 'Required value'
      : `must be of type ${typeNames[issue.expected] ?? issue.expected}`;
  }
  if (issue.code === 'invalid_value') {
    const accepted = issue.values.map((value) => `"${String(value)}"`).join(', ');
    if (issue.input === undefined) return 'Required value';
    return `Unsupported value: ${JSON.stringify(issue.input)}: supported values: ${accepted}`;
  }
  if (issue.code === 'too_small') return atLeast(issue.origin, issue.minimum);
  if (issue.code === 'too_big') return atMost(issue.origin, issue.maximum);
  return undefined;
}

function atLeast(origin: string, limit: number | bigint): string {
  if (origin === 'string') return `should be at least ${limit} chars long`;
  return origin === 'array' ? `should have at least ${limit} items` : `should be greater than or equal to ${limit}`;
}

function atMost(origin: string, limit: number | bigint): string {
  if (origin === 'string') return `may not be more than ${limit} bytes`;
  return origin === 'array' ? `must have at most ${limit} items` : `should be less than or equal to ${limit}`;
}
