import { once } from 'node:events';
import { startAws } from './index.ts';

const aws = await startAws();
const user = await aws.operatorUser();
process.stdout.write(`AWS of the laboratory, account ${aws.accountId}. Ctrl-C ends it.\n\n`);
for (const [name, value] of Object.entries(aws.environment(aws.adminCredentials))) {
  process.stdout.write(`export ${name}=${value}\n`);
}
process.stdout.write(`\n# a user that may only assume roles: ${user.arn}\n`);
process.stdout.write(`# ${user.accessKeyId} ${user.secretAccessKey}\n`);
await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
await aws.stop();
