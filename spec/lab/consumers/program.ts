import { createInterface } from 'node:readline';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';

// A user's program with the AWS SDK for JavaScript, which answers as program.py does.

const MachineDate = Date;
let ahead = 0;
globalThis.Date = class extends MachineDate {
  constructor(...given: unknown[]) {
    super(...((given.length === 0 ? [MachineDate.now() + ahead] : given) as [number]));
  }

  static override now(): number {
    return MachineDate.now() + ahead;
  }
} as DateConstructor;

const client = new STSClient({});
let signedBy: string | undefined;
client.middlewareStack.add(
  (next) => (args) => {
    const { headers } = args.request as { headers: Record<string, string> };
    signedBy = /Credential=(\w+)\//.exec(headers['authorization'] ?? '')?.[1];
    return next(args);
  },
  { step: 'deserialize', priority: 'low' },
);
for await (const line of createInterface({ input: process.stdin })) {
  ahead = Number(line);
  const answer = await client.send(new GetCallerIdentityCommand({})).then(
    ({ Arn }) => ({ arn: Arn, accessKeyId: signedBy }),
    (error: Error) => ({ error: `${error.name}: ${error.message}` }),
  );
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
