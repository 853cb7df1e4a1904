import type { IssuedTriple } from '../lab/index.ts';

/** What an example's Secret is made of. */
export interface Parts {
  /** The session that was issued for it. */
  session: IssuedTriple;
  /** Passwords of the registry tokens made with that session, by account and Region as `1…/eu-west-1`, or `public`. */
  passwords: Readonly<Record<string, string>>;
}

/** A Secret as a program wants it: its type, the label by which it is found, and its data. */
export interface Shape {
  type: string;
  labels?: Record<string, string>;
  data: Record<string, string>;
}

const OWN_SOURCE = '111122223333/eu-central-1';
const OTHER_SOURCE = '444455556666/eu-central-1';
const OWN = '111122223333.dkr.ecr.eu-central-1.amazonaws.com';
const OTHER = '444455556666.dkr.ecr.eu-central-1.amazonaws.com';

const file = ({ accessKeyId, secretAccessKey, sessionToken }: IssuedTriple) =>
  `[default]\naws_access_key_id=${accessKeyId}\naws_secret_access_key=${secretAccessKey}\naws_session_token=${sessionToken}`;

const map = ({ accessKeyId, secretAccessKey, sessionToken }: IssuedTriple) => ({
  awsAccessKeyId: accessKeyId,
  awsSecretAccessKey: secretAccessKey,
  awsSessionToken: sessionToken,
});

const opaque = (data: Record<string, string>, labels?: Record<string, string>): Shape => ({
  type: 'Opaque',
  ...(labels && { labels }),
  data,
});

/** A docker configuration of these hosts, each with the source of the token for it. */
function dockerConfig(hosts: Record<string, string>, passwords: Parts['passwords']): Shape {
  const entries = Object.entries(hosts).map(([host, source]) => {
    const password = passwords[source] ?? '';
    return [host, { username: 'AWS', password, auth: Buffer.from(`AWS:${password}`).toString('base64') }];
  });
  const text = JSON.stringify({ auths: Object.fromEntries(entries) });
  return { type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': text } };
}

const argo = (kind: string) => ({ 'argocd.argoproj.io/secret-type': kind });

/** The Secrets of the examples by name, exactly. */
export const shapes: Readonly<Record<string, (parts: Parts) => Shape>> = {
  'archive-aws': ({ session }) =>
    opaque(
      { credentials: file(session).replace('[default]', '[archive]') },
      { 'app.kubernetes.io/part-of': 'archive' },
    ),
  'argocd-repository': ({ passwords }) =>
    opaque(
      {
        name: 'charts',
        type: 'helm',
        enableOCI: 'true',
        url: `${OWN}/charts`,
        username: 'AWS',
        password: passwords[OWN_SOURCE] ?? '',
      },
      argo('repository'),
    ),
  'argocd-repo-creds': ({ passwords }) =>
    opaque(
      { type: 'helm', enableOCI: 'true', url: OTHER, username: 'AWS', password: passwords[OTHER_SOURCE] ?? '' },
      argo('repo-creds'),
    ),
  'argocd-image-updater-ecr': ({ passwords }) => opaque({ creds: `AWS:${passwords[OWN_SOURCE]}` }),
  'audit-aws': ({ session }) => opaque(map(session)),
  'audited-aws': ({ session }) => opaque(map(session)),
  'backup-aws': ({ session }) => opaque({ credentials: file(session) }),
  'crossplane-aws': ({ session }) => opaque({ creds: file(session) }),
  'flux-ecr': ({ passwords }) => dockerConfig({ [OWN]: OWN_SOURCE }, passwords),
  'influxdb-aws': ({ session }) =>
    opaque({
      'credentials.json': `{
  "aws_access_key_id": "${session.accessKeyId}",
  "aws_secret_access_key": "${session.secretAccessKey}",
  "aws_session_token": "${session.sessionToken}",
  "expiry": ${session.expiresAt / 1000}
}
`,
    }),
  'kaniko-docker': ({ passwords }) => dockerConfig({ [OWN]: OWN_SOURCE }, passwords),
  'keda-aws': ({ session }) => opaque(map(session)),
  'ledger-aws': ({ session }) => opaque(map(session)),
  'nightly-aws': ({ session }) =>
    opaque({
      AWS_ACCESS_KEY_ID: session.accessKeyId,
      AWS_SECRET_ACCESS_KEY: session.secretAccessKey,
      AWS_SESSION_TOKEN: session.sessionToken,
      AWS_REGION: 'eu-central-1',
      AWS_DEFAULT_REGION: 'eu-central-1',
    }),
  'partner-aws': ({ session }) => opaque(map(session)),
  'registries-pull': ({ passwords }) =>
    dockerConfig(
      {
        [OWN]: OWN_SOURCE,
        '111122223333.dkr-ecr.eu-central-1.on.aws': OWN_SOURCE,
        '444455556666.dkr.ecr.eu-west-1.amazonaws.com': '444455556666/eu-west-1',
        'vpce-0a1b2c3d.ecr.eu-west-1.vpce.amazonaws.com': '111122223333/eu-west-1',
        'public.ecr.aws': 'public',
        'ecr-public.aws.com': 'public',
      },
      passwords,
    ),
  'registry-pull': ({ passwords }) => dockerConfig({ [OWN]: OWN_SOURCE }, passwords),
  'reports-aws': ({ session }) => opaque(map(session)),
  'batch-aws': ({ session }) => opaque(map(session)),
  'spark-aws': ({ session }) =>
    opaque({
      'spark-defaults.conf': `spark.hadoop.fs.s3a.aws.credentials.provider org.apache.hadoop.fs.s3a.TemporaryAWSCredentialsProvider
spark.hadoop.fs.s3a.access.key ${session.accessKeyId}
spark.hadoop.fs.s3a.secret.key ${session.secretAccessKey}
spark.hadoop.fs.s3a.session.token ${session.sessionToken}
spark.hadoop.fs.s3a.endpoint.region eu-central-1
`,
      'core-site.xml': `<configuration>
  <property>
    <name>fs.s3a.aws.credentials.provider</name>
    <value>org.apache.hadoop.fs.s3a.TemporaryAWSCredentialsProvider</value>
  </property>
  <property><name>fs.s3a.access.key</name><value>${session.accessKeyId}</value></property>
  <property><name>fs.s3a.secret.key</name><value>${session.secretAccessKey}</value></property>
  <property><name>fs.s3a.session.token</name><value>${session.sessionToken}</value></property>
</configuration>
`,
    }),
  'sync-aws': ({ session }) => opaque({ credentials: file(session) }),
  'uploader-aws': ({ session }) => opaque(map(session), { 'app.kubernetes.io/name': 'uploader' }),
  'velero-aws': ({ session }) => opaque({ cloud: file(session) }),
  'web-registry-pull': ({ passwords }) => dockerConfig({ [`${OWN}/team-a/web`]: OWN_SOURCE }, passwords),
  'worker-aws': ({ session }) =>
    opaque({
      'credentials.json': JSON.stringify({
        Version: 1,
        AccessKeyId: session.accessKeyId,
        SecretAccessKey: session.secretAccessKey,
        SessionToken: session.sessionToken,
        Expiration: `${new Date(session.expiresAt).toISOString().slice(0, 19)}Z`,
      }),
      config: '[default]\ncredential_process=cat /.aws/credentials.json\nregion=eu-central-1',
    }),
};
