import { describe, expect, it } from '@jest/globals';
import { parseCaller, policyPrincipal } from '../../lib/aws/options.ts';

describe('parseCaller', () => {
  it('reads a role session', () => {
    const arn = 'arn:aws:sts::123456789012:assumed-role/operator/eks-prod-rolevend-7d';
    expect(parseCaller(arn)).toEqual({
      arn,
      accountId: '123456789012',
      partition: 'aws',
      role: 'operator',
      isSession: true,
    });
  });

  it.each([
    'arn:aws-cn:iam::123456789012:user/team/ci',
    'arn:aws-cn:iam::123456789012:root',
    'arn:aws-cn:sts::123456789012:federated-user/x',
  ])('reads %s, which is no role session', (arn) => {
    expect(parseCaller(arn)).toEqual({ arn, accountId: '123456789012', partition: 'aws-cn', isSession: false });
  });

  it.each(['', 'nonsense', 'arn:aws:iam::12345:user/x', 'arn:aws:s3:::bucket'])('refuses %j', (arn) => {
    expect(parseCaller(arn)).toBeUndefined();
  });
});

describe('policyPrincipal', () => {
  it("is the IAM role's ARN for a role session and the user's own for a user", () => {
    const principals = [
      'arn:aws:sts::123456789012:assumed-role/operator/x',
      'arn:aws:iam::123456789012:user/team/ci',
    ].map((arn) => {
      const caller = parseCaller(arn);
      return caller && policyPrincipal(caller);
    });
    expect(principals).toEqual(['arn:aws:iam::123456789012:role/operator', 'arn:aws:iam::123456789012:user/team/ci']);
  });
});
