import { type RoleGrant, roleGrants } from '../api/role-grant.ts';
import type { GrantDecision, GrantRequest } from './grants.ts';

/** Grants named in a message at most; the command shows the rest. */
const NAMED = 3;

/** Why nothing was granted, and the two commands that help: one shows the grants, one adds the least grant. */
export function denied(request: GrantRequest, grants: readonly RoleGrant[]): string {
  const { namespace, roleArn } = request;
  const state = grants.length === 0 ? 'there is no RoleGrant at all' : 'no RoleGrant matches both';
  return (
    `namespace ${namespace} may not use role ${roleArn}: ${state}. ` +
    'Show the grants: kubectl get rolegrants. An administrator adds one with: ' +
    `echo ${shellQuote(JSON.stringify(leastGrant(request, grants)))} | kubectl create -f -`
  );
}

/** Why a field of an object is not allowed though its role is. No grant stands in `setBy` where none was needed for the role. */
export function fieldDenied(
  { namespace, roleArn }: GrantRequest,
  setBy: readonly RoleGrant[],
  { field, problem, fix }: { field: string; problem: string; fix: string },
): GrantDecision {
  const names = setBy.map(({ metadata }) => metadata.name);
  const shown = names.slice(0, NAMED).join(' ');
  const where =
    names.length === 0
      ? 'in a RoleGrant for both, which an administrator makes. Show the grants: kubectl get rolegrants'
      : `in RoleGrant ${shown}. Show the terms: kubectl get rolegrants ${shown} -o yaml`;
  const message = `${problem} for namespace ${namespace} and role ${roleArn}: ${fix} ${where}`;
  return { allowed: false, field, message };
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A grant that allows this request and nothing else, under a name that is free. */
function leastGrant({ namespace, roleArn }: GrantRequest, grants: readonly RoleGrant[]): object {
  const taken = new Set(grants.map(({ metadata }) => metadata.name));
  let name = namespace;
  for (let number = 2; taken.has(name); number++) name = `${namespace}-${number}`;
  return {
    apiVersion: `${roleGrants.group}/${roleGrants.version}`,
    kind: roleGrants.kind,
    metadata: { name },
    spec: { namespaces: { names: [namespace] }, roles: [roleArn] },
  };
}
