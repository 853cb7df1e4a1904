import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from '@jest/globals';
import { leaseIdentity } from '../../lib/kube/lease-identity.ts';

const file = fileURLToPath(new URL('../../lib/kube/lease-identity.ts', import.meta.url));
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) await kill(child);
});

/** The name that another process of the Pod has taken. Default: it goes on living. */
async function startOther(
  hostname: string,
  podUid: string,
  then = 'setInterval(() => {}, 1e6);',
): Promise<{ identity: string; child: ChildProcess }> {
  const code = `
    import { leaseIdentity } from ${JSON.stringify(file)};
    console.log((await leaseIdentity(${JSON.stringify(hostname)}, ${JSON.stringify(podUid)})).identity);
    ${then}`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const [identity] = await once(createInterface(child.stdout), 'line');
  return { identity, child };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** Exit code and signal. */
async function endOf(child: ChildProcess): Promise<unknown[]> {
  const { exitCode, signalCode } = child;
  return exitCode !== null || signalCode !== null ? [exitCode, signalCode] : await once(child, 'exit');
}

const onLinux = process.platform === 'linux' ? describe : describe.skip;

onLinux('a process of a Pod', () => {
  it('knows its predecessors by name and UID of the Pod alone', async () => {
    const [uid, otherUid] = [randomUUID(), randomUUID()];
    const { identity, isPredecessor = () => false } = await leaseIdentity('operator-0', uid);
    expect(identity).toMatch(new RegExp(`^operator-0_${uid}_[0-9a-f]{8}$`));
    const names = {
      'of the same Pod': `operator-0_${uid}_01234567`,
      'its own': identity,
      'of a Pod of the same name': `operator-0_${otherUid}_01234567`,
      'of a Pod into which the UID was copied': `operator-1_${uid}_01234567`,
      'of a machine of the same name': 'operator-0_01234567',
      'of nobody': '',
    };
    const found = Object.entries(names).filter(([, name]) => isPredecessor(name));
    expect(found.map(([what]) => what)).toEqual(['of the same Pod']);
  });

  it('follows one that was killed', async () => {
    const uid = randomUUID();
    const { identity, child } = await startOther('operator', uid);
    await kill(child);
    expect((await leaseIdentity('operator', uid)).isPredecessor?.(identity)).toBe(true);
  });

  it('ends when its work is done, whatever it holds', async () => {
    const { child } = await startOther('operator', randomUUID(), '');
    expect(await endOf(child)).toEqual([0, null]);
  });

  it('follows nobody beside another that lives, nor does anybody follow it', async () => {
    const uid = randomUUID();
    const { child } = await startOther('operator', uid);
    const second = await leaseIdentity('operator', uid);
    expect(second).toEqual({ identity: expect.stringMatching(/^operator_[0-9a-f]{8}$/), isPredecessor: undefined });
    await kill(child);
    const third = await leaseIdentity('operator', uid);
    expect(third.isPredecessor?.(second.identity)).toBe(false);
  });
});

describe('a process outside of a Pod', () => {
  it('follows nobody', async () => {
    expect(await leaseIdentity('machine', undefined)).toEqual({
      identity: expect.stringMatching(/^machine_[0-9a-f]{8}$/),
      isPredecessor: undefined,
    });
  });
});
