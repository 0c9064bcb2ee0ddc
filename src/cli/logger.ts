import { colors as pc, printableLines } from './terminal.js';

/** Messages for people. All go to stderr: stdout is for results. */
export interface Logger {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
  /** Only with --verbose. */
  debug(message: string): void;
}

/** `write` puts whole lines out; a progress line takes it over while it is drawn. */
export function createLogger(options: {
  readonly verbose: boolean;
  readonly write?: (line: string) => void;
}): Logger {
  const { verbose, write = (line) => process.stderr.write(`${line}\n`) } = options;
  return {
    info: (message) => write(printableLines(message)),
    warn: (message) => write(`${pc.yellow('warning:')} ${printableLines(message)}`),
    error: (message) => write(`${pc.red('error:')} ${printableLines(message)}`),
    debug: (message) => {
      if (verbose) write(pc.dim(printableLines(message)));
    },
  };
}
