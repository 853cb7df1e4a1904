import { describe, expect, it } from '@jest/globals';
import type { VendingContext } from '../../../lib/controllers/aws-assume-role/pass.ts';
import { removeFormer } from '../../../lib/controllers/aws-assume-role/repair.ts';
import { objectStore, secretStore } from '../../../lib/controllers/aws-assume-role/watch.ts';
import type { ObjectRef, Resource } from '../../../lib/kube/objects.ts';
import { passOf, secretMeta } from './fixtures.ts';

describe('the Secret of a former name', () => {
  it('is removed once, also while the watch still shows it', async () => {
    const secrets = secretStore();
    const metadata = secretMeta({ name: 'former', uid: 's-0' });
    secrets.apply({ type: 'ADDED', object: { apiVersion: 'v1', kind: 'Secret', metadata } });
    const deleted: unknown[] = [];
    const client = {
      delete: async (_: Resource, ref: ObjectRef, { uid }: { uid: string }) => void deleted.push({ ...ref, uid }),
    };
    const context = { client, secrets, objects: objectStore() } as unknown as VendingContext;
    const pass = passOf();
    await removeFormer(pass, context);
    await removeFormer(pass, context);
    expect(deleted).toEqual([{ namespace: 'team', name: 'former', uid: 's-0' }]);
  });
});
