// First, and not sorted among the others: what it does must not wait for them.
import './commands/first-moments.ts';

import { Command, CommanderError, Option } from 'commander';
import packageJson from '../package.json' with { type: 'json' };
import { endByError } from './commands/first-moments.ts';
import { argumentProblems, argv, ConfigError, controllerFlags, type Flag, type GivenFlags } from './config.ts';

/** Exit code for flags and arguments that are not accepted. */
const USAGE = 2;

const program = new Command('rolevend')
  .description(
    'Vends short-lived AWS credentials to Kubernetes workloads as Secrets that never expire before they are replaced',
  )
  .version(packageJson.version, '--version', 'print the version')
  .helpOption('-h, --help', 'print this help')
  .exitOverride();

withFlags(program.command('controller').description('run the controllers of this cluster'), controllerFlags).action(
  async (options: Record<string, string | true>, { args }: Command) => {
    requireNode('rolevend controller');
    const { controllerCommand } = await import('./commands/controller.ts');
    process.exit(await controllerCommand(givenOf(controllerFlags, options), argumentProblems(args)));
  },
);

/** What is wrong is told together with everything else by the command itself, so nothing is refused here. */
function withFlags(command: Command, flags: readonly Flag[]): Command {
  for (const flag of flags) {
    const notes = [flag.env && `env ${flag.env}`, flag.default && `default ${flag.default}`].filter(Boolean).join(', ');
    const value = flag.accepts === 'true or false' ? `[${flag.value}]` : `<${flag.value}>`;
    const description = notes ? `${flag.description} (${notes})` : flag.description;
    const option = new Option(`--${flag.name} ${value}`, description);
    command.addOption(Object.assign(option, { required: false, optional: true }));
  }
  return command.allowUnknownOption().allowExcessArguments().exitOverride();
}

/** Commander gives camel-cased names, and true for a flag without a value. */
function givenOf(flags: readonly Flag[], options: Record<string, string | true>): GivenFlags {
  const camelCase = (name: string) => name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return Object.fromEntries(flags.map(({ name }) => [name, options[camelCase(name)]]));
}

/** An older Node.js would fail somewhere in a library; help and version work on it. */
function requireNode(command: string): void {
  const least = packageJson.engines.node.replace('>=', '');
  if (least.localeCompare(process.versions.node, 'en', { numeric: true }) <= 0) return;
  throw new ConfigError([
    `${command} needs Node.js ${least} or newer, this is ${process.version}; ` +
      `use "npx ${command}" in the directory of the project, or install a newer Node.js`,
  ]);
}

try {
  await program.parseAsync([...argv]);
} catch (error) {
  if (!(error instanceof ConfigError || error instanceof CommanderError)) endByError(error);
  if (error instanceof ConfigError) process.stderr.write(`${error.message}\n`);
  // By force, since a server that was opened before the other one failed would keep the process alive.
  process.exit(error instanceof CommanderError && error.exitCode === 0 ? 0 : USAGE);
}
