/** Runs exit-child and tells how it ended. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { CODE, type Leaving } from './exit-child.js';

const program = fileURLToPath(new URL('./exit-child.js', import.meta.url));

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** From the last act of the program to its end; infinite when it never came to it. */
  readonly milliseconds: number;
  readonly stderr: string;
}

/** `node`: path of the Node.js to run it with. */
export async function runToExit(leaving: Leaving, node: string = process.execPath): Promise<Exit> {
  const child = spawn(node, [program, JSON.stringify(leaving)], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text) => {
    stdout += text;
  });
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  let ended = 0;
  child.on('exit', () => {
    ended = Date.now();
  });
  const [code, signal] = await once(child, 'close');
  const left = /^leaving (\d+)$/m.exec(stdout)?.[1];
  return { code, signal, milliseconds: left ? ended - Number(left) : Number.POSITIVE_INFINITY, stderr };
}

/** What is wrong with an exit; '' when nothing is. */
export function faultOf({ way }: Leaving, exit: Exit, most: number): string {
  const expected = way === 'throw' || way === 'rejection' ? 1 : CODE;
  if (exit.code !== expected)
    return `ended with ${exit.signal ?? exit.code} instead of ${expected}: ${exit.stderr.slice(-500)}`;
  return exit.milliseconds <= most ? '' : `took ${exit.milliseconds} ms to end`;
}
