import type { Flag } from '../../lib/config.ts';

const heads = ['Flag', 'Environment', 'Default', 'Accepts', 'Meaning'];

/** The reference page of a command's flags in Markdown. */
export function flagsPage(command: string, flags: readonly Flag[]): string {
  return [
    '<!-- Generated from lib/config.ts by "make generate". Do not edit. -->',
    `# Flags of \`${command}\``,
    `A flag counts before its environment variable, and that before the default. Write \`--flag=value\` or \`--flag value\`. Values that are not accepted end the process at once with exit code 2; every one of them is named. \`${command} --help\` prints the same list.`,
    table([heads, heads.map(() => '---'), ...flags.map(row)]),
    '',
  ]
    .join('\n\n')
    .replace(/\n+$/, '\n');
}

function row(flag: Flag): string[] {
  const cells = [`--${flag.name}`, flag.env, flag.default].map((text) => (text ? `\`${text}\`` : '–'));
  return [...cells, flag.accepts, flag.description];
}

function table(rows: readonly string[][]): string {
  return rows.map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`).join('\n');
}
