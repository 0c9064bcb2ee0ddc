import type { Command } from 'commander';
import { createLogger, type Logger } from './logger.js';
import { printableLines } from './terminal.js';

/** What every command's action gets beside its own arguments. */
export interface ActionContext {
  readonly json: boolean;
  readonly verbose: boolean;
  readonly logger: Logger;
  /** Fires at the first Ctrl-C, SIGTERM or SIGHUP; a second one ends the process at once. */
  readonly signal: AbortSignal;
  /** Result for people, on stdout; silent with --json. */
  print(text: string): void;
}

const ONE_PRESS_MS = 1000;

/** What stops a command, and the exit code of the second one: Ctrl-C, a service's stop, a terminal that goes away. */
const STOP_SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
type StopSignal = keyof typeof STOP_SIGNALS;
const stopSignals = Object.keys(STOP_SIGNALS) as StopSignal[];

let stopping = false;

/** Whether the user has stopped the command: it is on its way out, and may be writing a checkpoint. */
export function isStopping(): boolean {
  return stopping;
}

/** Options that every command has. */
export function addCommonOptions(command: Command): Command {
  return command
    .option(
      '--json',
      'print the result as one JSON object on the last line of stdout, and nothing else there',
    )
    .option('--verbose', 'say more, and show the stack of an error');
}

/**
 * Wraps a command's work. What it returns is the result that --json prints; undefined prints nothing. Errors go to
 * main, which prints them and sets the exit code.
 */
export function runAction<Options>(
  work: (context: ActionContext, options: Options, args: string[]) => Promise<unknown>,
): (...all: unknown[]) => Promise<void> {
  return async (...all) => {
    const command = all.at(-1) as Command;
    const options = command.optsWithGlobals() as Options & { json?: boolean; verbose?: boolean };
    const json = options.json === true;
    const verbose = options.verbose === true;
    const stop = new AbortController();
    let stoppedAt = 0;
    const onSignal = (name: StopSignal) => {
      // npx hands on a Ctrl-C that the terminal has sent here as well: two within a moment are one.
      if (stop.signal.aborted && performance.now() - stoppedAt < ONE_PRESS_MS) return;
      if (stop.signal.aborted) process.exit(STOP_SIGNALS[name]);
      stoppedAt = performance.now();
      stopping = true;
      stop.abort();
    };
    for (const name of stopSignals) process.on(name, onSignal);
    try {
      const result = await work(
        {
          json,
          verbose,
          logger: createLogger({ verbose }),
          signal: stop.signal,
          print: (text) => {
            if (!json) process.stdout.write(`${printableLines(text)}\n`);
          },
        },
        options,
        command.args,
      );
      if (json && result !== undefined) process.stdout.write(`${JSON.stringify(result)}\n`);
    } finally {
      // A stopped command is on its way out: another signal on that way must not change its exit code.
      if (!stop.signal.aborted) for (const name of stopSignals) process.removeListener(name, onSignal);
    }
  };
}
