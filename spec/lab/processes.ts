import { run } from './install/run.ts';

/** Whether nothing of a process group runs any more. Dead processes that nobody collected yet do not count. */
export async function groupIsGone(group: number): Promise<boolean> {
  const { code, stdout, stderr } = await run(['ps', '-A', '-o', 'pgid=,stat=']);
  if (code !== 0) throw new Error(`ps: ${stderr}`);
  const rows = stdout.split('\n').map((line) => line.trim().split(/\s+/));
  return !rows.some(([id, state]) => Number(id) === group && !state?.startsWith('Z'));
}
