/** One line of code in one file of lib/. */
export interface Case {
  file: string;
  code: string;
}

/** Folders and single files of lib/, as files of some other folder name them. */
const folders = ['api', 'kube', 'aws', 'credentials', 'secrets', 'controllers/x', 'webhooks', 'commands'];
const singles = ['errors.ts', 'clock.ts', 'exchange.ts', 'log.ts', 'metrics.ts', 'config.ts', 'main.ts'];
const base = ['errors.ts', 'clock.ts', 'log.ts', 'metrics.ts'];

/** The import table: which of the folders and single files each of them may import. Its message begins with the name. */
const table: { file: string; may: string[]; message: string }[] = [
  { file: 'lib/api/a.ts', may: ['errors.ts'], message: 'api/ may import only' },
  { file: 'lib/kube/a.ts', may: [...base, 'exchange.ts'], message: 'kube/ knows nothing of AWS' },
  { file: 'lib/aws/a.ts', may: ['api', 'exchange.ts', ...base], message: 'aws/ may import only' },
  { file: 'lib/credentials/a.ts', may: ['aws', 'kube', 'api', ...base], message: 'credentials/ may import only' },
  { file: 'lib/credentials/grants.ts', may: ['api', 'errors.ts'], message: 'Grants are decided by pure functions' },
  { file: 'lib/secrets/a.ts', may: ['api', 'errors.ts'], message: 'secrets/ is pure' },
  {
    file: 'lib/controllers/x/a.ts',
    may: ['api', 'kube', 'aws', 'credentials', 'secrets', ...base],
    message: 'controllers/ may import neither',
  },
  { file: 'lib/folder-of-tomorrow/a.ts', may: [], message: 'This folder has no row in the import table' },
  { file: 'lib/folder-of-tomorrow/x/a.ts', may: [], message: 'This folder has no row in the import table' },
  { file: 'lib/webhooks/a.ts', may: ['api', 'kube', ...base], message: 'webhooks/ may import only' },
  {
    file: 'lib/commands/a.ts',
    may: [...folders, ...base, 'exchange.ts', 'config.ts'],
    message: 'commands/ may import all of lib/ but',
  },
  { file: 'lib/log.ts', may: ['errors.ts'], message: 'The single files of lib/' },
  { file: 'lib/config.ts', may: ['api', 'errors.ts', 'clock.ts', 'log.ts'], message: 'config.ts may import only' },
  { file: 'lib/main.ts', may: ['commands', 'config.ts', 'errors.ts', 'log.ts'], message: 'main.ts may import only' },
];

const clock = "Timers and the machine's clock are used only in lib/clock.ts";
const config = 'Flags and environment are read only in lib/config.ts';
const aws = 'The AWS SDK is imported only in lib/aws';

const clockUses = [
  'setTimeout(run, 5);',
  'setInterval(run, 5);',
  'setImmediate(run);',
  'const later = setTimeout;',
  'globalThis.setTimeout(run, 5);',
  "globalThis['setTimeout'](run, 5);",
  'const { setTimeout: wait } = globalThis;',
  'global.setInterval(run, 5);',
  "import timers from 'node:timers';",
  "import { setTimeout as wait } from 'node:timers/promises';",
  "import 'timers/promises';",
  "const timers = await import('node:timers/promises');",
  'AbortSignal.timeout(5);',
  'Date.now();',
  "Date['now']();",
  'const { now } = Date;',
  'new Date();',
  'new Date;',
  'globalThis.Date.now();',
  'Reflect.construct(Date, []);',
  'performance.now();',
  "import { performance } from 'node:perf_hooks';",
  'process.hrtime();',
];
const configUses = [
  'process.env.HOME;',
  "process['env'].HOME;",
  'process.argv.slice(2);',
  'const { env } = process;',
  "import { argv } from 'node:process';",
];
const awsUses = [
  "import { STSClient } from '@aws-sdk/client-sts';",
  "import type { HttpRequest } from '@smithy/types';",
  "export { STSClient } from '@aws-sdk/client-sts';",
  "const sts = await import('@aws-sdk/client-sts');",
];

/** Ways of importing that the table holds for as well as for a plain import. */
const otherImports = [
  "import type { A } from '../kube/a.ts';",
  "export { a } from '../kube/a.ts';",
  "export * from '../kube/a.ts';",
  "const a = await import('../kube/a.ts');",
  "import { a } from './../kube/a.ts';",
  "import { a } from '../folder-of-tomorrow/a.ts';",
  "import { a } from '../../spec/support/a.ts';",
];

/** Parts of Node.js that nothing pure uses. */
const impureUses = [
  ...['fs', 'fs/promises', 'child_process', 'module', 'net', 'http', 'https'].map(
    (name) => `import { a } from 'node:${name}';`,
  ),
  "const fs = await import('node:fs/promises');",
];
const pureFiles = [
  { file: 'lib/api/a.ts', message: 'api/ may import only' },
  { file: 'lib/secrets/a.ts', message: 'secrets/ is pure' },
  { file: 'lib/credentials/grants.ts', message: 'Grants are decided by pure functions' },
  { file: 'lib/credentials/label-selector.ts', message: 'Grants are decided by pure functions' },
];

/** Lines that fail the lint, each with the beginning of its message. */
export const forbidden: (Case & { message: string })[] = [
  ...table.flatMap(({ file, may, message }) =>
    targets(file)
      .filter((target) => !may.includes(target))
      .map((target) => ({ file, code: importOf(file, target), message })),
  ),
  ...pureFiles.flatMap((pure) => impureUses.map((code) => ({ ...pure, code }))),
  ...otherImports.map((code) => ({ file: 'lib/api/a.ts', code, message: 'api/ may import only' })),
  ...clockUses.map((code) => ({ file: 'lib/kube/a.ts', code, message: clock })),
  ...configUses.map((code) => ({ file: 'lib/commands/a.ts', code, message: config })),
  ...awsUses.map((code) => ({ file: 'lib/controllers/x/a.ts', code, message: aws })),
];

/** Lines that pass. */
export const allowed: Case[] = [
  ...table.flatMap(({ file, may }) => may.map((target) => ({ file, code: importOf(file, target) }))),
  ...clockUses.map((code) => ({ file: 'lib/clock.ts', code })),
  ...configUses.map((code) => ({ file: 'lib/config.ts', code })),
  ...awsUses.map((code) => ({ file: 'lib/aws/a.ts', code })),
  { file: 'lib/kube/a.ts', code: 'new Date(5).toISOString();' },
  { file: 'lib/kube/a.ts', code: 'Date.parse(text);' },
  { file: 'lib/kube/a.ts', code: "import { near } from './near.ts';" },
  { file: 'lib/kube/a.ts', code: "import { connect } from 'node:tls';" },
  { file: 'lib/api/a.ts', code: "import { inspect } from 'node:util';" },
  { file: 'lib/secrets/a.ts', code: "import { createHash } from 'node:crypto';" },
  { file: 'lib/credentials/grants.ts', code: "import * as z from 'zod';" },
  { file: 'lib/folder-of-tomorrow/a.ts', code: "import { near } from './near.ts';" },
  { file: 'lib/folder-of-tomorrow/a.ts', code: "import { readFile } from 'node:fs/promises';" },
  { file: 'lib/controllers/x/a.ts', code: "import { due } from '../y/due.ts';" },
  { file: 'lib/controllers/x/a.ts', code: "import { metrics } from './metrics.ts';" },
  { file: 'lib/credentials/grants.ts', code: "import { segments } from './role-pattern.ts';" },
  { file: 'lib/log.ts', code: 'process.stderr.write(line);' },
  { file: 'lib/main.ts', code: "import packageJson from '../package.json' with { type: 'json' };" },
];

/** Everything of lib/ but what `file` itself is or stands in. */
function targets(file: string): string[] {
  return [...folders, ...singles].filter((target) => !file.startsWith(`lib/${target}`));
}

function importOf(file: string, target: string): string {
  const depth = file.split('/').length - 2;
  const up = depth === 0 ? './' : '../'.repeat(depth);
  return `import { a } from '${up}${target}${target.endsWith('.ts') ? '' : '/b.ts'}';`;
}
