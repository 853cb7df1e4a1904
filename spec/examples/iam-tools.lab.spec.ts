import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GetRoleCommand, GetRolePolicyCommand } from '@aws-sdk/client-iam';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { commandsOf, type Page, pages, root } from '../docs/pages.ts';
import { type LabAws, startAws, type TemporaryDirectory, temporaryDirectory, trustPodIdentity } from '../lab/index.ts';
import { findPython } from '../lab/install/python.ts';
import { run } from '../lab/install/run.ts';

const CLUSTER = 'my-cluster';

const text = (name: string) => readFile(join(root, 'examples/iam', name), 'utf8');
const policy = async (name: string) => JSON.parse(await text(name));

describe('the policies of examples/iam, put in with tools,', () => {
  let aws: LabAws;
  let directory: TemporaryDirectory;

  beforeEach(async () => {
    [aws, directory] = await Promise.all([startAws(), temporaryDirectory('rolevend-iam-')]);
    const eks = await aws.createRole('eks', { trust: trustPodIdentity() });
    await cli(`aws eks create-cluster --name ${CLUSTER} --role-arn ${eks} --resources-vpc-config '{}'`);
  });
  afterEach(async () => {
    await aws?.stop();
    await directory?.remove();
  });

  /** Runs a command of the AWS CLI as an administrator of the account. Throws what it says where it fails. */
  async function cli(command: string): Promise<string> {
    const PATH = `${dirname((await findPython()) ?? '')}:${process.env['PATH']}`;
    const env = { ...aws.environment(aws.adminCredentials), PATH, HOME: directory.path };
    const { code, stdout, stderr } = await run(['sh', '-c', command], { env, cwd: root });
    if (code !== 0) throw new Error(`${command}: ${stderr}`);
    return stdout.trim();
  }

  const decoded = (document: string | undefined) => JSON.parse(decodeURIComponent(document ?? ''));

  /** Both policies of the operator's role, as AWS has them. */
  async function operator() {
    const { Role } = await aws.iam.send(new GetRoleCommand({ RoleName: 'rolevend' }));
    const inline = { RoleName: 'rolevend', PolicyName: 'assume-roles' };
    const { PolicyDocument } = await aws.iam.send(new GetRolePolicyCommand(inline));
    return { trust: decoded(Role?.AssumeRolePolicyDocument), policy: decoded(PolicyDocument) };
  }

  const files = async () => ({
    trust: await policy('operator-trust-pod-identity.json'),
    policy: await policy('operator-policy.json'),
  });

  test('are those of the files after the commands of README.md, and the operator is associated', async () => {
    const readme = (await pages()).find(({ path }) => path === 'README.md') as Page;
    const commands = commandsOf(readme, 'Install').filter((command) => command.startsWith('aws '));
    expect(commands).toHaveLength(3);
    for (const command of commands) await cli(command);
    expect(await operator()).toEqual(await files());
    const listed = await cli(`aws eks list-pod-identity-associations --cluster-name ${CLUSTER}`);
    expect(JSON.parse(listed).associations).toEqual([
      expect.objectContaining({ namespace: 'rolevend-system', serviceAccount: 'rolevend' }),
    ]);
  });

  /** Makes a stack of a template, without the association, of which the lab's CloudFormation knows nothing. */
  async function deploy(name: string, ...parameters: string[]): Promise<void> {
    const template = join(directory.path, name);
    await writeFile(template, (await text(name)).replace(/ {2}Association:\n.*?(?= {2}Backup:)/s, ''));
    const stack = name.replace('.yaml', '');
    const flags = `--stack-name ${stack} --template-body file://${template} --capabilities CAPABILITY_NAMED_IAM`;
    await cli(`aws cloudformation create-stack ${[flags, ...parameters].join(' ')}`);
    await cli(`aws cloudformation wait stack-create-complete --stack-name ${stack}`);
  }

  /** Trust policy and inline policies of a role, as AWS has them. */
  async function role(name: string) {
    const { Role } = await aws.iam.send(new GetRoleCommand({ RoleName: name }));
    return { arn: Role?.Arn, trust: decoded(Role?.AssumeRolePolicyDocument) };
  }

  test('are those of the files after CloudFormation with EKS Pod Identity', async () => {
    await deploy('cloudformation.yaml', `--parameters ParameterKey=ClusterName,ParameterValue=${CLUSTER}`);
    expect(await operator()).toEqual(await files());
    const trust = await policy('role-trust.json');
    expect(await role('backup')).toEqual({ arn: aws.roleArn('backup', '/team-a/'), trust });
    expect(await role('puller')).toEqual({ arn: aws.roleArn('puller', '/team-a/'), trust });
    const pull = new GetRolePolicyCommand({ RoleName: 'puller', PolicyName: 'pull' });
    expect(decoded((await aws.iam.send(pull)).PolicyDocument)).toEqual(await policy('puller-policy.json'));
  });

  test('are those of the files after CloudFormation with IRSA, and in the account of a partner', async () => {
    await deploy('cloudformation.yaml');
    expect(await operator()).toEqual({ ...(await files()), trust: await policy('operator-trust-irsa.json') });
    await deploy('cloudformation-partner.yaml');
    const trust = await policy('role-trust-cross-account.json');
    expect(await role('orders-reader')).toEqual({ arn: aws.roleArn('orders-reader', '/shared/'), trust });
  });

  test('are associated by CloudFormation and Terraform with the ServiceAccount of the chart', async () => {
    const tags = ['!Ref', '!GetAtt'].map((tag) => ({ tag, resolve: (value: string) => value }));
    const options = { customTags: tags, logLevel: 'silent' as const };
    const { Association } = parse(await text('cloudformation.yaml'), options).Resources;
    expect(Association.Condition).toBe('HasPodIdentity');
    expect(Association.Properties).toEqual({
      ClusterName: 'ClusterName',
      Namespace: 'rolevend-system',
      ServiceAccount: 'rolevend',
      RoleArn: 'Operator.Arn',
    });
    const terraform = await text('terraform.tf');
    expect(terraform).toMatch(/namespace += "rolevend-system"\n +service_account = "rolevend"\n/);
    const read = [...terraform.matchAll(/file\("\$\{path\.module\}\/([^"]+)"\)/g)].map(([, name = '']) => name);
    expect([...new Set(read)].sort()).toEqual([
      'operator-policy.json',
      'operator-trust-irsa.json',
      'operator-trust-pod-identity.json',
      'puller-policy.json',
      'role-trust-cross-account.json',
      'role-trust.json',
    ]);
    for (const name of read) expect(await policy(name)).toHaveProperty('Statement');
  });
});
