import type { LabelSelector } from '../api/role-grant.ts';

type Requirement = NonNullable<LabelSelector['matchExpressions']>[number];

/**
 * Whether labels meet a selector, as Kubernetes reads it: all of `matchLabels` and all of `matchExpressions`.
 * Other than in Kubernetes an empty selector matches nothing: a grant names what it opens.
 */
export function matchSelector(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  const wanted = Object.entries(selector.matchLabels ?? {});
  const requirements = selector.matchExpressions ?? [];
  if (wanted.length + requirements.length === 0) return false;
  return (
    wanted.every(([key, value]) => ownLabel(labels, key) === value) &&
    requirements.every((requirement) => meets(requirement, labels))
  );
}

function meets({ key, operator, values = [] }: Requirement, labels: Readonly<Record<string, string>>): boolean {
  const value = ownLabel(labels, key);
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      // Without values the requirement is malformed; nothing may be opened by it.
      return values.length > 0 && (value === undefined || !values.includes(value));
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return false;
  }
}

/** The own property alone: a label key such as `constructor` must not find what every object inherits. */
function ownLabel(labels: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}
