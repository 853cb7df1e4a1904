import type { Head } from '../exchange.ts';
import type { RequestContext } from './errors.ts';

const KIB = 1_024;
const MIB = 1_024 * KIB;

/** Of the reason for a refusal. */
const REFUSAL = 256 * KIB;
/** A token and the wish for it; nothing that is stored. */
const TOKEN = 256 * KIB;
/**
 * The server takes objects of 3 MiB (and etcd 1.5 MiB unless told otherwise); in its JSON a character may take six bytes.
 * An event of a watch is one object.
 */
export const objectBytes = 16 * MIB;
/** Labels and annotations take 256 KiB in UTF-8 at most; beside them stands who wrote which field. */
const METADATA = 4 * MIB;
/** More objects than this are asked for in smaller pages: a page of one object is never as large. */
const LIST = 32 * MIB;

/** Most bytes of an answer to this call. */
export function mostBytes(call: RequestContext & { accept?: string | undefined }, { statusCode }: Head): number {
  if (statusCode >= 300) return REFUSAL;
  if (call.verb === 'list') return LIST;
  if (call.subresource === 'token') return TOKEN;
  return call.accept?.includes('as=PartialObjectMetadata;') ? METADATA : objectBytes;
}
