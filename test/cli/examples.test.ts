// The help of every command ends with examples, and what they show can be typed.
import test from 'ava';
import { Command } from 'commander';
import { COMMANDS } from '#src/cli/commands/index.js';
import { addExamples } from '#src/cli/examples.js';

/** Commands that do something: those without commands below them. */
function leaves(command: Command, path: readonly string[] = []): [string, Command][] {
  return command.commands.flatMap((child) => {
    const name = [...path, child.name()];
    return child.commands.length > 0
      ? leaves(child, name)
      : ([[name.join(' '), child]] as [string, Command][]);
  });
}

async function helpOf(): Promise<Map<string, { command: Command; help: string }>> {
  const program = new Command().exitOverride();
  for (const { load } of COMMANDS) (await load())(program);
  addExamples(program);
  const found = new Map<string, { command: Command; help: string }>();
  for (const [name, command] of leaves(program)) {
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text) });
    command.outputHelp();
    found.set(name, { command, help });
  }
  return found;
}

test('each ends with examples of itself, with options that it has', async (t) => {
  const all = await helpOf();
  t.true(all.size > 20, `${all.size} commands`);
  for (const [name, { command, help }] of all) {
    const [, examples] = help.split('\nExamples:\n');
    if (examples === undefined) {
      t.fail(`'${name} --help' has no examples: src/cli/examples.ts has a list`);
      continue;
    }
    const lines = examples.trimEnd().split('\n');
    t.true(lines.length >= 2 && lines.length % 2 === 0, name);
    for (const [i, line] of lines.entries()) {
      if (i % 2 === 0) {
        t.regex(line, /^ {2}# \S/, line);
        continue;
      }
      const prefix = `  npx vssl-native ${name}`;
      t.true(line === prefix || line.startsWith(`${prefix} `), line);
      const known = new Set(command.options.flatMap(({ long }) => long ?? []));
      for (const [flag] of line.matchAll(/--[a-z-]+/g)) t.true(known.has(flag), `${flag} in ${line}`);
      for (const option of command.options.filter(({ mandatory }) => mandatory))
        t.true(line.includes(`${option.long} `), `${option.long} is missing in ${line}`);
    }
  }
});

test('a command with others below it shows one of each', async (t) => {
  const program = new Command();
  for (const { load } of COMMANDS) (await load())(program);
  addExamples(program);
  for (const group of program.commands.filter(({ commands }) => commands.length > 0)) {
    let help = '';
    group.configureOutput({ writeOut: (text) => (help += text) });
    group.outputHelp();
    for (const { name } of group.commands.map((child) => ({ name: child.name() })))
      t.regex(
        help,
        new RegExp(`\nExamples:\n(.*\n)*  npx vssl-native ${group.name()} ${name}`),
        `${group.name()} ${name}`,
      );
  }
});
