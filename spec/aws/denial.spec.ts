import { describe, expect, it } from '@jest/globals';
import { denialIn, policyKinds } from '../../lib/aws/denial.ts';
import { type AwsContext, awsError } from '../../lib/aws/errors.ts';

const ROLE = 'arn:aws:iam::210987654321:role/team/writer';
const caller = {
  arn: 'arn:aws:sts::123456789012:assumed-role/operator/pod-1',
  accountId: '123456789012',
  partition: 'aws',
  role: 'operator',
  isSession: true,
};
const claims = {
  issuer: 'https://oidc.example',
  subject: 'system:serviceaccount:a:app',
  audience: 'sts.amazonaws.com',
};
/** As AWS begins each of these texts. */
const lead = `User: ${caller.arn} is not authorized to perform: sts:AssumeRole on resource: ${ROLE}`;

describe('what AWS says of a denial', () => {
  it.each(policyKinds)('names the %s', (kind) => {
    const [a, the] = [kind === 'identity-based policy' ? 'an' : 'a', 'the'];
    expect({
      explicit: denialIn(`${lead} with an explicit deny in ${a} ${kind}`),
      withArn: denialIn(`${lead} with an explicit deny in ${the} ${kind}: arn:aws:organizations::1:policy/o-x/p-y`),
      missing: denialIn(`${lead} because no ${kind} allows the sts:AssumeRole action`),
      plural: denialIn(`${lead} because no ${kind.replace(/y$/, 'ies')} allow the sts:AssumeRole action`),
    }).toEqual({
      explicit: { explicit: true, kind },
      withArn: { explicit: true, kind },
      missing: { explicit: false, kind },
      plural: { explicit: false, kind },
    });
  });

  it.each([
    ['nothing', lead, undefined],
    ['a deny alone', `${lead} with an explicit deny`, { explicit: true }],
    ['a kind that is not known', `${lead} with an explicit deny in a moon policy`, { explicit: true }],
    ['a missing kind that is not known', `${lead} because no moon policy allows it`, undefined],
    ['a name like it', `User: arn:x/because-no-session-policy-allows is not authorized`, undefined],
  ])('and %s is taken for no more than that', (_what, text, denial) => {
    expect(denialIn(text)).toEqual(denial);
  });
});

function advised(why: string, about: Partial<AwsContext> = {}): string {
  const error = Object.assign(new Error(`${lead} ${why} s3cret`), {
    name: 'AccessDenied',
    $metadata: { httpStatusCode: 403 },
  });
  const context: AwsContext = { service: 'STS', operation: 'AssumeRole', region: 'eu-west-1', roleArn: ROLE, caller };
  const { message } = awsError(error, { ...context, ...about });
  expect(message).not.toContain('s3cret');
  return message.slice(message.indexOf('(AccessDenied). ') + '(AccessDenied). '.length);
}

const operator = 'arn:aws:iam::123456789012:role/operator';
const deny = (kind: string) => `with an explicit deny in a ${kind}`;
const none = (kind: string) => `because no ${kind} allows the action`;
const both = `Identity policy of ${operator} (add its path, if it has one): {"Effect":"Allow","Action":"sts:AssumeRole","Resource":"${ROLE}"} Trust policy of ${ROLE}: {"Effect":"Allow","Principal":{"AWS":"${operator}"},"Action":"sts:AssumeRole"}`;
const noHelp = 'refuses it; a statement that allows it does not help.';

describe('the advice for AccessDenied', () => {
  it.each([
    [
      deny('service control policy'),
      `An explicit deny in a service control policy of the organization of account 123456789012 ${noHelp} Whoever administers that organization has to change it.`,
    ],
    [
      none('service control policy'),
      'No service control policy of the organization of account 123456789012 allows it. Whoever administers that organization has to change it.',
    ],
    [
      deny('resource control policy'),
      `An explicit deny in a resource control policy of the organization of account 210987654321 ${noHelp} Whoever administers that organization has to change it.`,
    ],
    [
      none('VPC endpoint policy'),
      'No VPC endpoint policy of the VPC endpoint through which STS is reached allows it. Whoever manages the endpoint has to change it.',
    ],
    [
      none('permissions boundary'),
      `No permissions boundary of ${operator} allows it. Whoever administers IAM in account 123456789012 has to change it.`,
    ],
    [
      none('session policy'),
      `No session policy of the session of ${operator} allows it. It was given to the session when that was made, as by an EKS Pod Identity association with a policy: change it there.`,
    ],
    [
      deny('identity-based policy').replace('a i', 'an i'),
      `An explicit deny in an identity-based policy of ${operator} ${noHelp} Remove the statement from the policies of ${operator}.`,
    ],
    [
      deny('resource-based policy'),
      `An explicit deny in a resource-based policy of ${ROLE} ${noHelp} Change the trust policy of the role.`,
    ],
    ['with an explicit deny', expect.not.stringContaining('"Effect"')],
    [none('identity-based policy'), `No identity-based policy of ${operator} allows it. ${both}`],
    [none('resource-based policy'), `No resource-based policy of ${ROLE} allows it. ${both}`],
    [none('role trust policy'), `No role trust policy of ${ROLE} allows it. ${both}`],
    ['', `The role may not exist, or one of two statements is missing; STS does not say which one lacks. ${both}`],
  ])('says who refuses, and prints statements only where they help: %s', (why, advice) => {
    expect(advised(why)).toEqual(advice);
  });

  const exchange = { operation: 'AssumeRoleWithWebIdentity', caller: undefined, claims };
  it.each([
    [deny('resource control policy'), 'of the organization of account 210987654321', 0],
    [deny('service control policy'), 'of the organization of account 210987654321', 0],
    [none('session policy'), 'No session policy of the session of system:serviceaccount:a:app allows it.', 0],
    [none('role trust policy'), `No role trust policy of ${ROLE} allows it. Trust policy of ${ROLE}: {`, 1],
    ['', `its trust policy lacks a statement. Trust policy of ${ROLE}: {`, 1],
  ])('does so for a web identity: %s', (why, says, statements) => {
    const advice = advised(why, exchange);
    expect({ advice, statements: advice.split('"Effect"').length - 1 }).toEqual({
      advice: expect.stringContaining(says),
      statements,
    });
  });

  const registry = { service: 'ECR', operation: 'GetAuthorizationToken', caller: undefined } as const;
  it.each([
    [deny('service control policy'), 'of the organization of account 210987654321', 0],
    [none('VPC endpoint policy'), 'of the VPC endpoint through which ECR is reached', 0],
    [none('permissions boundary'), `No permissions boundary of ${ROLE} allows it.`, 0],
    [
      none('session policy'),
      'It is made of spec.sessionPolicy, spec.policyArns and spec.ecr.restrictToRepositories',
      0,
    ],
    [none('identity-based policy'), `No identity-based policy of ${ROLE} allows it. The role needs a policy with {`, 1],
    ['', 'The role needs a policy with {', 1],
  ])('does so for a registry: %s', (why, says, statements) => {
    const advice = advised(why, registry);
    expect({ advice, statements: advice.split('"Effect"').length - 1 }).toEqual({
      advice: expect.stringContaining(says),
      statements,
    });
  });
});
