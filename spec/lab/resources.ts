import { type AttachedControlPlane, expectSuccess } from './attach.ts';

/** An object as it is applied. */
export interface AppliedObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
}

interface ApiResource {
  name: string;
  kind: string;
  namespaced: boolean;
}

/** What each server has said of its group versions. */
const discovered = new Map<string, ApiResource[]>();

/**
 * The path of an object, by the server's own discovery. It is asked for a kind that it has not named yet, so that a
 * definition may come late.
 *
 * @param namespace for objects of namespaces that name none
 * @throws Error where the server has no such kind
 */
export async function pathOf(
  plane: Pick<AttachedControlPlane, 'server' | 'request'>,
  { apiVersion, kind, metadata }: AppliedObject,
  namespace: string,
): Promise<string> {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const key = `${plane.server}${root}`;
  const find = () => discovered.get(key)?.find((one) => one.kind === kind && !one.name.includes('/'));
  if (find() === undefined) {
    const answer = expectSuccess(await plane.request<{ resources: ApiResource[] }>('GET', root), root);
    discovered.set(key, answer.resources);
  }
  const resource = find();
  if (resource === undefined) throw new Error(`${plane.server} has no ${kind} of ${apiVersion}`);
  const place = resource.namespaced ? `/namespaces/${metadata.namespace ?? namespace}` : '';
  return `${root}${place}/${resource.name}/${metadata.name}`;
}

/**
 * Applies an object on the server's side, as its only manager, with every field checked.
 *
 * @throws Error with the server's words when it is refused
 */
export async function applyObject(
  plane: Pick<AttachedControlPlane, 'server' | 'request'>,
  object: AppliedObject,
  namespace: string,
): Promise<void> {
  const path = await pathOf(plane, object, namespace);
  const query = 'fieldManager=test&force=true&fieldValidation=Strict';
  expectSuccess(await plane.request('PATCH', `${path}?${query}`, object, 'application/apply-patch+yaml'), path);
}
