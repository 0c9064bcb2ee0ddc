/** An example of the package as a process of its own, and what it says. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { packageRoot } from '#src/native/load.js';

export interface Example {
  /** The next line of stdout or stderr, of those that nobody has taken, that matches. Rejects when the process ends without it. */
  line(pattern: RegExp): Promise<string>;
  /** All that it has said so far. */
  said(): string;
  kill(signal: NodeJS.Signals): void;
  /** Its exit code, or the signal that ended it. */
  readonly end: Promise<number | NodeJS.Signals>;
}

const running = new Set<ChildProcess>();

export function startExample(script: string, ...args: string[]): Example {
  const child = spawn(process.execPath, [join(packageRoot, 'examples', script), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const lines: string[] = [];
  let taken = 0;
  let ended = false;
  let tell = () => {};
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      tell();
    });
  const end = once(child, 'close').then(([code, signal]) => {
    running.delete(child);
    ended = true;
    tell();
    return code ?? signal;
  });
  const line = async (pattern: RegExp) => {
    for (;;) {
      while (taken < lines.length) {
        const next = lines[taken++]!;
        if (pattern.test(next)) return next;
      }
      if (ended) throw new Error(`${script} ended without ${pattern}:\n${lines.join('\n')}`);
      await new Promise<void>((resolve) => {
        tell = resolve;
      });
    }
  };
  return { line, said: () => lines.join('\n'), kill: (signal) => child.kill(signal), end };
}

/** Those that a failed test has left. */
export function killExamples(): void {
  for (const child of running) child.kill('SIGKILL');
}
