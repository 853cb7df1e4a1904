import { describe, expect, it } from '@jest/globals';
import { isListedRegion, partitionOfRegion, regionLabel } from '../../lib/aws/regions.ts';

describe('the partition of a Region', () => {
  it.each([
    ['eu-west-1', 'aws'],
    ['cn-north-1', 'aws-cn'],
    ['us-gov-west-1', 'aws-us-gov'],
    ['us-iso-east-1', 'aws-iso'],
    ['us-isob-east-1', 'aws-iso-b'],
    ['eu-isoe-west-1', 'aws-iso-e'],
    ['eusc-de-east-1', 'aws-eusc'],
  ])('of %s is %s', (region, name) => {
    expect([partitionOfRegion(region), isListedRegion(region)]).toEqual([name, true]);
  });

  it.each([
    ['eu-northwest-7', 'aws'],
    ['cn-west-9', 'aws-cn'],
    ['us-gov-north-3', 'aws-us-gov'],
    ['zz-nowhere-1', 'aws'],
  ])('of %s, which is newer than the SDK, is %s', (region, name) => {
    expect([partitionOfRegion(region), isListedRegion(region)]).toEqual([name, false]);
  });
});

describe('a Region as a label', () => {
  it('is one that is listed, the own one, or `other`', () => {
    const labels = ['eu-west-1', 'xx-own-1', 'us-made-9', 'us-made-8'].map((region) => regionLabel(region, 'xx-own-1'));
    expect(labels).toEqual(['eu-west-1', 'xx-own-1', 'other', 'other']);
  });
});
