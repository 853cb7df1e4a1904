import { Command, CommanderError } from 'commander';
import packageJson from '../package.json' with { type: 'json' };
import { argv, ConfigError, controllerFlags, type Flag } from './config.ts';

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
  async (options: Record<string, string>) => {
    const { controllerCommand } = await import('./commands/controller.ts');
    process.exit(await controllerCommand(textsOf(controllerFlags, options)));
  },
);

function withFlags(command: Command, flags: readonly Flag[]): Command {
  for (const flag of flags) {
    const notes = [flag.env && `env ${flag.env}`, flag.default && `default ${flag.default}`].filter(Boolean).join(', ');
    const value = flag.accepts === 'true or false' ? `[${flag.value}]` : `<${flag.value}>`;
    command.option(`--${flag.name} ${value}`, notes ? `${flag.description} (${notes})` : flag.description);
  }
  return command.allowExcessArguments(false).exitOverride();
}

/** Commander gives camel-cased names, and true for a switch without a value. */
function textsOf(flags: readonly Flag[], options: Record<string, string | true>): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const { name } of flags) {
    const value = options[name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())];
    if (value !== undefined) texts[name] = String(value);
  }
  return texts;
}

try {
  await program.parseAsync([...argv]);
} catch (error) {
  if (!(error instanceof ConfigError || error instanceof CommanderError)) throw error;
  if (error instanceof ConfigError) process.stderr.write(`${error.message}\n`);
  // By force, since a server that was opened before the other one failed would keep the process alive.
  process.exit(error instanceof CommanderError && error.exitCode === 0 ? 0 : USAGE);
}
