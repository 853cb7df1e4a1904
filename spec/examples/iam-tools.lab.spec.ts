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

  test('are those of the files after CloudFormation, which here knows no associations', async () => {
    const template = join(directory.path, 'template.yaml');
    await writeFile(template, (await text('cloudformation.yaml')).replace(/ {2}Association:\n.*?(?= {2}Backup:)/s, ''));
    const parameters = `--parameters ParameterKey=ClusterName,ParameterValue=${CLUSTER}`;
    const flags = `--stack-name rolevend --template-body file://${template} --capabilities CAPABILITY_NAMED_IAM`;
    await cli(`aws cloudformation create-stack ${flags} ${parameters}`);
    await cli('aws cloudformation wait stack-create-complete --stack-name rolevend');
    expect(await operator()).toEqual(await files());
    const { Role } = await aws.iam.send(new GetRoleCommand({ RoleName: 'backup' }));
    expect(Role?.Arn).toBe(aws.roleArn('backup', '/team-a/'));
    expect(decoded(Role?.AssumeRolePolicyDocument)).toEqual(await policy('role-trust.json'));
  });

  test('are associated by CloudFormation and Terraform with the ServiceAccount of the chart', async () => {
    const tags = ['!Ref', '!GetAtt'].map((tag) => ({ tag, resolve: (value: string) => value }));
    const { Association } = parse(await text('cloudformation.yaml'), { customTags: tags }).Resources;
    expect(Association.Properties).toEqual({
      ClusterName: 'ClusterName',
      Namespace: 'rolevend-system',
      ServiceAccount: 'rolevend',
      RoleArn: 'Operator.Arn',
    });
    const terraform = await text('terraform.tf');
    expect(terraform).toMatch(/namespace += "rolevend-system"\n +service_account = "rolevend"\n/);
    const read = [...terraform.matchAll(/file\("\$\{path\.module\}\/([^"]+)"\)/g)].map(([, name = '']) => name);
    expect(read).toEqual(['operator-trust-pod-identity.json', 'operator-policy.json', 'role-trust.json']);
    for (const name of read) expect(await policy(name)).toHaveProperty('Statement');
  });
});
