import type * as z from 'zod';
import { awsAssumeRoles } from './aws-assume-role.ts';
import { awsAssumeRoleSpecSchema } from './aws-assume-role-spec.ts';
import { awsAssumeRoleStatusSchema } from './aws-assume-role-status.ts';
import type { ResourceName } from './metadata.ts';
import { roleGrantSpecSchema, roleGrants } from './role-grant.ts';
import { type StructuralSchema, structuralSchema } from './structural.ts';

/** One column of `kubectl get`. A column of priority 1 is shown with `-o wide` only. */
export interface PrinterColumn {
  name: string;
  type: 'string' | 'integer' | 'date';
  description: string;
  jsonPath: string;
  priority?: number;
}

/** All that makes up a CRD and its reference page. */
export interface Kind {
  resource: ResourceName;
  singular: string;
  shortNames: string[];
  categories: string[];
  description: string;
  spec: z.ZodType;
  /** Given where the kind has a status subresource. */
  status?: z.ZodType;
  columns: PrinterColumn[];
}

const age: PrinterColumn = {
  name: 'Age',
  type: 'date',
  description: 'Time since the object was created.',
  jsonPath: '.metadata.creationTimestamp',
};

/** AWSAssumeRole. Its names and the first two columns are those of the operators it replaces. */
export const awsAssumeRoleKind: Kind = {
  resource: awsAssumeRoles,
  singular: 'awsassumerole',
  shortNames: ['aar'],
  categories: ['aws-credentials', 'controllers'],
  description:
    'Keeps a Secret of the same namespace filled with credentials of an IAM role, refreshed before they expire.',
  spec: awsAssumeRoleSpecSchema,
  status: awsAssumeRoleStatusSchema,
  columns: [
    column('Health', '.status.health.status', 'Healthy, Unknown or Unhealthy.'),
    column('Phase', '.status.phase', 'Ready or Pending.'),
    // Not of type date: that shows the time since, and <invalid> for a time to come.
    column('Expires', '.status.expiresAt', 'When what the Secret holds expires.'),
    wide('Role', '.status.roleArn', 'ARN of the role.'),
    wide('Next', '.status.nextRefreshAt', 'When the next refresh is due.'),
    wide('Reason', '.status.conditions[?(@.type=="Ready")].reason', 'Why the object is ready or not.'),
    age,
  ],
};

/** RoleGrant. */
export const roleGrantKind: Kind = {
  resource: roleGrants,
  singular: 'rolegrant',
  shortNames: ['rg'],
  categories: ['aws-credentials'],
  description:
    'Lets namespaces use IAM roles through the operator. Without a grant that matches, nothing is issued. Cluster-scoped.',
  spec: roleGrantSpecSchema,
  columns: [
    column('Namespaces', '.spec.namespaces.names', 'Namespaces by name.'),
    wide('Selector', '.spec.namespaces.selector', 'Namespaces by label.'),
    column('Roles', '.spec.roles', 'Patterns of role ARNs.'),
    age,
  ],
};

/** Every kind of ours. */
export const kinds: readonly Kind[] = [awsAssumeRoleKind, roleGrantKind];

/** The CustomResourceDefinition of a kind, as it is applied to a cluster. */
export function customResourceDefinition(kind: Kind): Record<string, unknown> {
  const { resource, singular, shortNames, categories, columns } = kind;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${resource.plural}.${resource.group}` },
    spec: {
      group: resource.group,
      names: {
        kind: resource.kind,
        listKind: `${resource.kind}List`,
        plural: resource.plural,
        singular,
        shortNames,
        categories,
      },
      scope: resource.namespaced ? 'Namespaced' : 'Cluster',
      versions: [
        {
          name: resource.version,
          served: true,
          storage: true,
          ...(kind.status === undefined ? {} : { subresources: { status: {} } }),
          additionalPrinterColumns: columns,
          schema: { openAPIV3Schema: objectSchema(kind) },
        },
      ],
    },
  };
}

/** The schema of whole objects of a kind. */
export function objectSchema(kind: Kind): StructuralSchema {
  return {
    description: kind.description,
    type: 'object',
    properties: {
      apiVersion: { description: `${kind.resource.group}/${kind.resource.version}.`, type: 'string' },
      kind: { description: `${kind.resource.kind}.`, type: 'string' },
      metadata: { type: 'object' },
      spec: structuralSchema(kind.spec),
      ...(kind.status === undefined ? {} : { status: structuralSchema(kind.status) }),
    },
    required: ['spec'],
  };
}

function column(name: string, jsonPath: string, description: string): PrinterColumn {
  return { name, type: 'string', description, jsonPath };
}

function wide(name: string, jsonPath: string, description: string): PrinterColumn {
  return { ...column(name, jsonPath, description), priority: 1 };
}
