import type { Command } from 'commander';
import { createLogger, type Logger } from './logger.js';

/** What every command's action gets beside its own arguments. */
export interface ActionContext {
  readonly json: boolean;
  readonly verbose: boolean;
  readonly logger: Logger;
  /** Fires at the first Ctrl-C or SIGTERM; a second one ends the process at once. */
  readonly signal: AbortSignal;
  /** Result for people, on stdout; silent with --json. */
  print(text: string): void;
}

const ONE_PRESS_MS = 1000;

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
    const onSignal = (name: NodeJS.Signals) => {
      // npx hands on a Ctrl-C that the terminal has sent here as well: two within a moment are one.
      if (stop.signal.aborted && performance.now() - stoppedAt < ONE_PRESS_MS) return;
      if (stop.signal.aborted) process.exit(name === 'SIGINT' ? 130 : 143);
      stoppedAt = performance.now();
      stop.abort();
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    try {
      const result = await work(
        {
          json,
          verbose,
          logger: createLogger({ verbose }),
          signal: stop.signal,
          print: (text) => {
            if (!json) process.stdout.write(`${text}\n`);
          },
        },
        options,
        command.args,
      );
      if (json && result !== undefined) process.stdout.write(`${JSON.stringify(result)}\n`);
    } finally {
      // A stopped command is on its way out: another signal on that way must not change its exit code.
      if (!stop.signal.aborted) {
        process.removeListener('SIGINT', onSignal);
        process.removeListener('SIGTERM', onSignal);
      }
    }
  };
}
