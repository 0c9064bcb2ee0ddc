#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { exitCodeOf, messageOf, VsslError } from '../errors.js';
import { packageVersion } from '../native/load.js';
import { writeError } from '../weights/atomic-write.js';
import { COMMANDS } from './commands/index.js';
import { addExamples } from './examples.js';
import { isStopping } from './run-action.js';
import { colors as pc, printableLines } from './terminal.js';

/** Runs the command line and gives the exit code: 0 done, 1 failed, 2 usage, 3 environment, 4 data, 130 stopped. */
export async function runCli(args: readonly string[]): Promise<number> {
  const verbose = args.includes('--verbose');
  const json = args.includes('--json');
  // What help and --version say is the result of such a call, and as such one object.
  let said = '';
  const say = (text: string) => {
    if (json) said += text;
    else process.stdout.write(text);
  };
  try {
    const program = await createProgram(args, say);
    await program.parseAsync(args, { from: 'user' });
    return typeof process.exitCode === 'number' ? process.exitCode : 0;
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help and version are no errors; the rest was printed by commander and is wrong usage.
      const wrong = error.exitCode === 0 ? null : usageError(error);
      if (json) printJson(wrong ? { error: describeError(wrong) } : { text: said.trimEnd() });
      return wrong ? exitCodeOf(wrong) : 0;
    }
    printError(error, verbose);
    if (json) printJson({ error: describeError(error) });
    return exitCodeOf(error);
  }
}

function printJson(result: object): void {
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

/** What commander found wrong, as an error of ours. */
function usageError({ code, message }: CommanderError): VsslError {
  const text =
    code === 'commander.help'
      ? 'expected a command; --help says what there is'
      : message.replace(/^error: /, '').replaceAll('\n', ' ');
  return new VsslError('ERR_VSSL_USAGE', text, { details: { reason: code } });
}

async function createProgram(args: readonly string[], say: (text: string) => void): Promise<Command> {
  const program = new Command();
  program
    .name('vssl-native')
    .description('Self-supervised video representation learning: train, evaluate and use video encoders')
    .version(packageVersion)
    .exitOverride()
    .showSuggestionAfterError()
    .showHelpAfterError('(give --help for what there is)')
    .configureOutput({
      writeOut: say,
      writeErr: (text) => process.stderr.write(printableLines(text)),
      getErrHasColors: () => false,
    });
  // Only the command that is asked for is loaded; help and a misspelt name need them all.
  const wanted = COMMANDS.filter(({ name }) => name === args.find((arg) => !arg.startsWith('-')));
  for (const { load } of wanted.length > 0 ? wanted : COMMANDS) (await load())(program);
  addExamples(program);
  if (args.length === 0) program.help({ error: true });
  return program;
}

/** One line that says what was expected, what came and what to do; the stack only when asked for. */
function printError(error: unknown, verbose: boolean): void {
  const known = error instanceof VsslError;
  const message = messageOf(error);
  const stack = (error as Error | null)?.stack;
  const cause = (error as Error | null)?.cause as Error | undefined;
  const code = known ? ` ${pc.dim(`[${error.code}]`)}` : '';
  process.stderr.write(`${pc.red('error:')} ${printableLines(message)}${code}\n`);
  if (verbose && stack) process.stderr.write(`${pc.dim(printableLines(stack))}\n`);
  if (verbose && cause)
    process.stderr.write(pc.dim(`caused by: ${printableLines(cause.stack ?? messageOf(cause))}\n`));
  if (!known && !verbose) process.stderr.write('--verbose shows where this came from\n');
}

/** For programs: --json prints it as the last line of stdout, as it does a result. */
function describeError(error: unknown): Record<string, unknown> {
  const { code, details } = error instanceof VsslError ? error : { code: 'ERR_VSSL_INTERNAL', details: {} };
  return { code, message: messageOf(error), details, exitCode: exitCodeOf(error) };
}

// A file size limit (ulimit -f) is then an error of the write, with a message, and not the end of the process.
if (process.platform !== 'win32') process.on('SIGXFSZ', () => {});

// What ends our readers often signals us too (a terminal that is closed with `| tee log`), a moment before or after.
const HANG_UP_MS = 250;

// A reader that goes away (`| head`) is no failure of ours. A terminal that is closed (EIO) is missed by nobody, and a
// command that is being stopped, perhaps by that, has a checkpoint to write.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EIO' && stream.isTTY) return;
    if (error.code === 'EPIPE') {
      setTimeout(() => isStopping() || process.exit(process.exitCode ?? 0), HANG_UP_MS);
      return;
    }
    if (stream === process.stdout) printError(writeError('standard output', error), false);
    process.exit(1);
  });

runCli(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
    // What a stopped command left under way (a long file that is being read) is not waited for.
    if (code === 130) process.stdout.write('', () => process.exit(code));
  },
  (error) => {
    printError(error, true);
    process.exitCode = 1;
  },
);
