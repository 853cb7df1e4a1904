import * as z from 'zod';

/** A node of an OpenAPI v3 structural schema, in the order in which its keys are written. */
export interface StructuralSchema {
  description?: string;
  type: string;
  format?: string;
  properties?: Record<string, StructuralSchema>;
  required?: string[];
  additionalProperties?: StructuralSchema;
  items?: StructuralSchema;
  [key: string]: unknown;
}

/** Keywords that a structural schema accepts and that are copied as they are. `default` is left out on purpose. */
const COPIED = [
  'enum',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'maxProperties',
  'x-kubernetes-list-type',
  'x-kubernetes-validations',
];
/** Keywords of JSON schema that say nothing here, or that are read elsewhere in this file. */
const HANDLED = [
  '$schema',
  'description',
  'type',
  'properties',
  'required',
  'additionalProperties',
  'items',
  'propertyNames',
];
const MAX_INT32 = 2 ** 31 - 1;

/**
 * Turns a zod schema into the structural schema of a CRD. Throws on anything that a structural schema refuses, such as
 * unions or defaults, with the path of the field.
 */
export function structuralSchema(schema: z.ZodType): StructuralSchema {
  return convert(z.toJSONSchema(schema, { io: 'input', target: 'openapi-3.0' }) as JsonSchema, 'schema');
}

interface JsonSchema {
  description?: string;
  type?: string;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: JsonSchema | boolean;
  items?: JsonSchema;
  [key: string]: unknown;
}

function convert(node: JsonSchema, path: string): StructuralSchema {
  for (const key of Object.keys(node)) {
    if (!COPIED.includes(key) && !HANDLED.includes(key))
      throw new Error(`${path}: a CRD cannot hold the keyword ${key}`);
  }
  if (node.type === undefined) throw new Error(`${path}: a CRD needs one type for each field`);
  const { description, type, required } = node;
  return {
    ...(description === undefined ? {} : { description }),
    type,
    ...limits(node),
    ...children(node, path),
    ...(required === undefined ? {} : { required }),
  };
}

function children(node: JsonSchema, path: string): Partial<StructuralSchema> {
  const result: Partial<StructuralSchema> = {};
  if (node.properties !== undefined) {
    const entries = Object.entries(node.properties);
    result.properties = Object.fromEntries(entries.map(([name, child]) => [name, convert(child, `${path}.${name}`)]));
  }
  if (typeof node.additionalProperties === 'object') {
    result.additionalProperties = convert(node.additionalProperties, `${path}.*`);
  }
  if (node.items !== undefined) result.items = convert(node.items, `${path}[]`);
  return result;
}

function limits(node: JsonSchema): Record<string, unknown> {
  const kept = Object.fromEntries(COPIED.filter((key) => node[key] !== undefined).map((key) => [key, node[key]]));
  if (node.type !== 'integer') return kept;
  const { minimum, maximum } = node as { minimum?: number; maximum?: number };
  const { minimum: _, maximum: __, ...rest } = kept;
  return {
    format: maximum !== undefined && maximum <= MAX_INT32 ? 'int32' : 'int64',
    ...rest,
    ...(isBound(minimum) ? { minimum } : {}),
    ...(isBound(maximum) ? { maximum } : {}),
  };
}

/** zod gives every integer the range that JavaScript counts exactly; that is no bound anyone chose. */
function isBound(limit: number | undefined): boolean {
  return limit !== undefined && Math.abs(limit) !== Number.MAX_SAFE_INTEGER;
}
