// What `helm test` runs in a Pod of the operator's image: waits until an AWSAssumeRole is Ready and reads its Secret.
// Arguments: namespace, name of the object, name of the Secret. Prints no credential. Exit code 0: a credential is there.
import { readFileSync } from 'node:fs';
import { get } from 'node:https';
import { setTimeout } from 'node:timers/promises';

const LIMIT_MS = 60_000;
const PAUSE_MS = 500;
const FILES = '/var/run/secrets/kubernetes.io/serviceaccount';
const KEYS = ['awsAccessKeyId', 'awsSecretAccessKey', 'awsSessionToken'];
const [, namespace, object, secretName] = process.argv;

/** The body of a GET as JSON, or undefined for HTTP 404. */
function read(path) {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
  const headers = { authorization: `Bearer ${readFileSync(`${FILES}/token`, 'utf8')}` };
  return new Promise((resolve, reject) => {
    const answer = get({ host, port, path, headers, ca: readFileSync(`${FILES}/ca.crt`) }, async (response) => {
      const text = (await response.setEncoding('utf8').toArray()).join('');
      if (response.statusCode === 404) resolve(undefined);
      else if (response.statusCode === 200) resolve(JSON.parse(text));
      else reject(new Error(`GET ${path}: HTTP ${response.statusCode}`));
    });
    answer.on('error', reject);
  });
}

function end(code, text) {
  process.stdout.write(`${text}\n`);
  process.exit(code);
}

/** Whether a condition is there and True, and what it says. */
function condition(status, type) {
  const found = status?.conditions?.find((one) => one.type === type);
  return { isTrue: found?.status === 'True', text: found ? `${found.reason}: ${found.message}` : undefined };
}

/** The status of the object once it is Ready. Ends the program where that will not be. */
async function readyStatus() {
  let last = 'The operator has not looked at it: see its log.';
  for (let left = LIMIT_MS; left > 0; left -= PAUSE_MS) {
    const found = await read(`/apis/pincette.net/v1/namespaces/${namespace}/awsassumeroles/${object}`);
    const ready = condition(found?.status, 'Ready');
    if (ready.isTrue) return found.status;
    last = ready.text ?? last;
    if (condition(found?.status, 'Stalled').isTrue) break;
    await setTimeout(PAUSE_MS);
  }
  return end(1, `AWSAssumeRole ${namespace}/${object} is not Ready. ${last}`);
}

const status = await readyStatus();
const { data = {} } = (await read(`/api/v1/namespaces/${namespace}/secrets/${secretName}`)) ?? {};
const missing = KEYS.filter((key) => !data[key]);
if (missing.length > 0) end(1, `Secret ${namespace}/${secretName} lacks ${missing.join(', ')}`);
const accessKeyId = Buffer.from(data.awsAccessKeyId, 'base64').toString();
if (accessKeyId !== status.accessKeyId) end(1, `Secret ${namespace}/${secretName} does not hold what the status tells`);
end(
  0,
  `ok: Secret ${namespace}/${secretName} holds ${accessKeyId}, a session of ${status.roleArn} until ${status.expiresAt}`,
);
