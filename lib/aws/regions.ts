import { partition } from '@aws-sdk/core/client';
import { BoundedMap } from './bounded-map.ts';

/** What the SDK knows of a Region. */
interface Known {
  /** `aws`, `aws-cn`, … A name that fits no other partition is one of `aws`, as the SDK takes it. */
  partition: string;
  /** Whether the SDK lists it; others are told by the form of their name alone. */
  isListed: boolean;
}

/** Users name Regions, so what was looked up is not kept for ever. */
const found = new BoundedMap<string, Known>(256);

/** The partition of a Region by the rules of the AWS SDK, which also tell that of a Region newer than the SDK. */
export function partitionOfRegion(region: string): string {
  return look(region).partition;
}

/** Whether the AWS SDK lists the Region. */
export function isListedRegion(region: string): boolean {
  return look(region).isListed;
}

/** A Region as the label of a metric, so that there are no more of them than Regions: `own` and those listed, or `other`. */
export function regionLabel(region: string, own: string): string {
  return region === own || isListedRegion(region) ? region : 'other';
}

function look(region: string): Known {
  const known = found.get(region);
  if (known !== undefined) return known;
  const { name, description } = partition(region) as ReturnType<typeof partition> & { description?: string };
  const looked = { partition: name, isListed: description !== undefined };
  found.set(region, looked);
  return looked;
}
