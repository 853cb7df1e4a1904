import { describe, expect, it } from '@jest/globals';
import * as z from 'zod';
import { customResourceDefinition, kinds } from '../../lib/api/crd.ts';
import { boundedMap, mustMatch, ruled } from '../../lib/api/rules.ts';
import { structuralSchema } from '../../lib/api/structural.ts';

describe('structuralSchema', () => {
  it('turns objects, lists, maps, bounds and rules into what a CRD accepts', () => {
    const schema = z.object({
      name: ruled(z.string().min(1).max(9), [mustMatch("^[a-z'\\w]+$", 'name is bad')]).meta({
        description: 'A name.',
      }),
      count: z.int().min(1).max(5).optional(),
      total: z.int().optional(),
      mode: z.enum(['A', 'B']).optional(),
      tags: boundedMap(z.string().max(3), 2).optional(),
      list: z.array(z.boolean()).max(4).optional(),
    });
    expect(structuralSchema(schema)).toEqual({
      type: 'object',
      properties: {
        name: {
          description: 'A name.',
          type: 'string',
          minLength: 1,
          maxLength: 9,
          'x-kubernetes-validations': [{ rule: "self.matches('^[a-z\\'\\\\w]+$')", message: 'name is bad' }],
        },
        count: { type: 'integer', format: 'int32', minimum: 1, maximum: 5 },
        total: { type: 'integer', format: 'int64' },
        mode: { type: 'string', enum: ['A', 'B'] },
        tags: { type: 'object', maxProperties: 2, additionalProperties: { type: 'string', maxLength: 3 } },
        list: { type: 'array', maxItems: 4, items: { type: 'boolean' } },
      },
      required: ['name'],
    });
  });

  it('refuses what a structural schema cannot hold, and names the field', () => {
    const union = z.object({ a: z.union([z.string(), z.number()]) });
    expect(() => structuralSchema(union)).toThrow('schema.a: a CRD cannot hold the keyword anyOf');
    expect(() => structuralSchema(z.object({ a: z.string().default('x') }))).toThrow(
      'schema.a: a CRD cannot hold the keyword default',
    );
    expect(() => structuralSchema(z.object({ a: z.unknown() }))).toThrow('schema.a: a CRD needs one type');
  });
});

describe.each(kinds)('the CRD of $resource.kind', (kind) => {
  const text = JSON.stringify(customResourceDefinition(kind));

  it('sets no default, so that GitOps tools read back what they wrote', () => {
    expect(text).not.toContain('"default":');
  });

  it('describes every field', () => {
    const bare: string[] = [];
    const walk = (node: unknown, path: string) => {
      if (typeof node !== 'object' || node === null) return;
      const { properties = {}, items } = node as {
        properties?: Record<string, { description?: string }>;
        items?: object;
      };
      for (const [name, field] of Object.entries(properties)) {
        if (field.description === undefined) bare.push(`${path}.${name}`);
        walk(field, `${path}.${name}`);
      }
      walk(items, `${path}[]`);
    };
    walk(structuralSchema(kind.spec), 'spec');
    if (kind.status !== undefined) walk(structuralSchema(kind.status), 'status');
    expect(bare).toEqual([]);
  });
});
