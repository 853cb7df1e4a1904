// A stand-in for STS, as a process of its own. It answers every AssumeRole and GetCallerIdentity in 20 ms with what the
// real one answers, and checks nothing: no signature, no policy. It stands in because the laboratory's AWS, which checks
// all that, uses the same cores as what is measured and under load answers in tens of milliseconds: the figures would be
// its own. For the same reason it understands no more of HTTP than what the operator sends. Its parent is told the port first, and then for each number that it sends, how many calls of AssumeRole there
// were, as soon as there are so many.
import { randomBytes } from 'node:crypto';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { systemClock as clock, rfc3339 } from '../../lib/clock.ts';

/** How long the real STS takes, about, from within its Region. */
const ANSWER_MS = 20;
const ACCOUNT = '111122223333';

/** As long as the real ones; the same for all, since every new one would cost time of what is measured. */
const [SECRET, TOKEN] = [30, 300].map((bytes) => randomBytes(bytes).toString('base64'));

let calls = 0;
/** The number of calls that the parent waits for. */
let awaited: number | undefined;

function tellCalls(): void {
  if (awaited === undefined || calls < awaited) return;
  awaited = undefined;
  process.send?.(calls);
}

const answers: Record<string, (input: URLSearchParams) => string> = {
  GetCallerIdentity: () =>
    `<Arn>arn:aws:iam::${ACCOUNT}:user/operator</Arn><UserId>AIDASTANDIN</UserId><Account>${ACCOUNT}</Account>`,
  AssumeRole: (input) => {
    const role = (input.get('RoleArn') ?? '').split(':role/').at(-1);
    const end = rfc3339(clock.now() + Number(input.get('DurationSeconds') ?? 3600) * 1000);
    const id = `ASIA${randomBytes(8).toString('hex').toUpperCase()}`;
    return (
      `<AssumedRoleUser><AssumedRoleId>AROASTANDIN:x</AssumedRoleId>` +
      `<Arn>arn:aws:sts::${ACCOUNT}:assumed-role/${role}/${input.get('RoleSessionName')}</Arn></AssumedRoleUser>` +
      `<Credentials><AccessKeyId>${id}</AccessKeyId><SecretAccessKey>${SECRET}</SecretAccessKey>` +
      `<SessionToken>${TOKEN}</SessionToken><Expiration>${end}</Expiration></Credentials>`
    );
  },
};

function xml(action: string, result: string): string {
  const id = `<ResponseMetadata><RequestId>${randomBytes(16).toString('hex')}</RequestId></ResponseMetadata>`;
  const space = 'https://sts.amazonaws.com/doc/2011-06-15/';
  return `<${action}Response xmlns="${space}"><${action}Result>${result}</${action}Result>${id}</${action}Response>`;
}

function answer(socket: Socket, body: string): void {
  const input = new URLSearchParams(body);
  const action = input.get('Action') ?? '';
  const result = answers[action];
  if (action === 'AssumeRole') calls += 1;
  tellCalls();
  clock.after(ANSWER_MS, () => {
    const text = xml(action, result?.(input) ?? '');
    const status = result ? '200 OK' : '400 Bad Request';
    const date = new Date(clock.now()).toUTCString();
    const headers = [`date: ${date}`, 'content-type: text/xml', `content-length: ${text.length}`];
    socket.write([`HTTP/1.1 ${status}`, ...headers, '', text].join('\r\n'), 'latin1');
  });
}

/** Where the body of the first request is, as soon as all of it is there. */
function bodyIn(text: string): { start: number; end: number } | undefined {
  const head = text.indexOf('\r\n\r\n');
  if (head < 0) return undefined;
  const start = head + 4;
  const end = start + Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1] ?? 0);
  return text.length < end ? undefined : { start, end };
}

const server = createServer((socket) => {
  let text = '';
  socket.setEncoding('latin1').setNoDelay(true);
  socket.on('error', () => {});
  socket.on('data', (chunk: string) => {
    text += chunk;
    for (let body = bodyIn(text); body !== undefined; body = bodyIn(text)) {
      answer(socket, text.slice(body.start, body.end));
      text = text.slice(body.end);
    }
  });
});
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('message', (count: number) => {
  awaited = count;
  tellCalls();
});
process.on('disconnect', () => process.exit(0));
