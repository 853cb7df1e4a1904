import { type Kind, objectSchema } from '../../lib/api/crd.ts';
import type { StructuralSchema } from '../../lib/api/structural.ts';

interface Row {
  path: string;
  type: string;
  required: boolean;
  description: string;
}

/** The reference page of a kind in Markdown: example, fields, what is refused, status and columns. */
export function referencePage(kind: Kind, example: string): string {
  const { resource, shortNames, categories } = kind;
  const { spec, status } = objectSchema(kind).properties ?? {};
  const names = [resource.plural, ...shortNames, ...categories].map((name) => `\`${name}\``).join(', ');
  return [
    '<!-- Generated from lib/api by "make generate". Do not edit. -->',
    `# ${resource.kind}`,
    `${kind.description} API \`${resource.group}/${resource.version}\`, ${resource.namespaced ? 'namespaced' : 'cluster-scoped'}; \`kubectl get\` knows it as ${names}.`,
    `\`\`\`yaml\n${example}\`\`\``,
    section('Spec', spec),
    '## What is refused',
    'The API server refuses an object with one of these messages. Objects that were stored before a rule existed stay, and the operator shows the same message in their status.',
    messages(spec, 'spec')
      .map(([path, message]) => `- \`${path}\`: ${escapeCell(message)}`)
      .join('\n'),
    ...(status === undefined ? [] : [section('Status', status)]),
    '## Columns',
    columnTable(kind),
    '',
  ]
    .join('\n\n')
    .replace(/\n+$/, '\n');
}

function section(title: string, schema: StructuralSchema | undefined): string {
  const head = '| Field | Type | Meaning |\n| --- | --- | --- |';
  const body = rows(schema, '').map(
    ({ path, type, required, description }) =>
      `| \`${path}\` | ${type}${required ? ', required' : ''} | ${escapeCell(description)} |`,
  );
  return `## ${title}\n\n${schema?.description ?? ''}\n\n${head}\n${body.join('\n')}`;
}

function rows(schema: StructuralSchema | undefined, prefix: string): Row[] {
  return Object.entries(schema?.properties ?? {}).flatMap(([name, field]) => {
    const path = `${prefix}${name}`;
    const required = schema?.required?.includes(name) ?? false;
    const row = { path, type: typeName(field), required, description: field.description ?? '' };
    const nested = field.items ?? field;
    return [row, ...rows(nested, `${path}${field.items === undefined ? '' : '[]'}.`)];
  });
}

function typeName(field: StructuralSchema): string {
  const values = (field.enum ?? field.items?.enum) as string[] | undefined;
  const suffix = values === undefined ? '' : ` (${values.map((value) => `\`${value}\``).join(', ')})`;
  if (field.items !== undefined) return `list of ${field.items.type}s${suffix}`;
  if (field.additionalProperties !== undefined) return `map of ${field.additionalProperties.type}s`;
  return `${field.type}${suffix}`;
}

function messages(schema: StructuralSchema | undefined, path: string): [string, string][] {
  if (schema === undefined) return [];
  const own = (schema['x-kubernetes-validations'] ?? []) as { message: string; fieldPath?: string }[];
  return [
    ...own.map(({ message, fieldPath }): [string, string] => [`${path}${fieldPath ?? ''}`, message]),
    ...Object.entries(schema.properties ?? {}).flatMap(([name, field]) => messages(field, `${path}.${name}`)),
    ...messages(schema.items, `${path}[]`),
    ...messages(schema.additionalProperties, `${path}.*`),
  ];
}

function columnTable(kind: Kind): string {
  const body = kind.columns.map(
    ({ name, jsonPath, priority, description }) =>
      `| ${name} | \`${escapeCell(jsonPath)}\` | ${priority === 1 ? 'with `-o wide`' : 'always'} | ${description} |`,
  );
  return `| Column | Shows | When | Meaning |\n| --- | --- | --- | --- |\n${body.join('\n')}`;
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('*', '\\*');
}
