import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';

interface Schema {
  $ref?: string;
  type?: string;
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  items?: Schema;
  anyOf?: Schema[];
}

const chart = (path: string) => fileURLToPath(new URL(`../../chart/${path}`, import.meta.url));

describe('the schema of the values', () => {
  let schema: Schema & { definitions: Record<string, Schema> };
  let values: unknown;

  beforeAll(async () => {
    schema = JSON.parse(await readFile(chart('values.schema.json'), 'utf8'));
    values = parse(await readFile(chart('values.yaml'), 'utf8'));
  });

  /** The paths of what has names of its own, `a.b`; lists and free maps end a path. */
  function pathsOfSchema({ properties }: Schema, prefix = ''): string[] {
    return Object.entries(properties ?? {}).flatMap(([name, property]) => {
      const path = `${prefix}${name}`;
      return property.properties === undefined ? [path] : pathsOfSchema(property, `${path}.`);
    });
  }

  function pathsOfValues(value: object, leaves: Set<string>, prefix = ''): string[] {
    return Object.entries(value).flatMap(([name, inner]) => {
      const path = `${prefix}${name}`;
      const isLeaf = leaves.has(path) || typeof inner !== 'object' || inner === null || Array.isArray(inner);
      return isLeaf ? [path] : pathsOfValues(inner, leaves, `${path}.`);
    });
  }

  /** The places of the schema where names are accepted that it does not know. */
  function open(node: Schema, path: string): string[] {
    const { properties = {}, additionalProperties, items, anyOf = [] } = node;
    const isOpen = node.type === 'object' && (additionalProperties ?? true) === true;
    return [
      ...(isOpen ? [path] : []),
      ...Object.entries(properties).flatMap(([name, property]) => open(property, `${path}.${name}`)),
      ...(items === undefined ? [] : open(items, `${path}[]`)),
      ...(typeof additionalProperties === 'object' ? open(additionalProperties, `${path}.*`) : []),
      ...anyOf.flatMap((one) => open(one, path)),
    ];
  }

  test('names exactly the values that values.yaml documents, and what Helm adds', () => {
    const known = pathsOfSchema(schema);
    expect(
      pathsOfValues(values as object, new Set(known))
        .concat('global')
        .sort(),
    ).toEqual(known.sort());
  });

  test('refuses unknown names at every level but in what Kubernetes defines', () => {
    const places = [
      ...open(schema, ''),
      ...Object.entries(schema.definitions).flatMap(([name, definition]) => open(definition, name)),
    ];
    expect(places).toEqual(['.global', 'kubernetesObject']);
  });
});
