/** `train --ranks N`: N processes of this command on this machine, which train together. */
import { type ChildProcess, spawn } from 'node:child_process';
import { freePort } from '../train/free-port.js';

/** After one rank has failed the others hear of it in a few seconds; whoever has not ended then is stopped, or hangs. */
const GRACE_MS = 10_000;

/** Tells a process that it goes when its launcher does. */
const LAUNCHED = 'VSSL_LAUNCHED';

interface Ended {
  readonly rank: number;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What it said on stderr; rank 0's goes to the terminal. */
  readonly said: string;
  /** By this launcher. */
  readonly wasKilled: boolean;
}

/** Runs them until all have ended, and gives the exit code. Rank 0 speaks for all of them. */
export async function launchRanks(ranks: number, signal: AbortSignal): Promise<number> {
  const port = await freePort();
  const args = withoutRanks(process.argv.slice(2));
  const children = Array.from({ length: ranks }, (_, rank) => start(rank, ranks, port, args));
  const stop = () => {
    for (const child of children) child.kill('SIGINT');
  };
  signal.addEventListener('abort', stop, { once: true });
  const killed = new Set<ChildProcess>();
  let grace: NodeJS.Timeout | undefined;
  let firstFailure: Ended | undefined;
  const ends = await Promise.all(
    children.map(async (child, rank) => {
      const end = await ended(child, rank, () => killed.has(child));
      if (end.code !== 0 && !end.wasKilled) {
        firstFailure ??= end;
        grace ??= setTimeout(() => {
          for (const other of children)
            if (other.exitCode === null && other.signalCode === null) {
              killed.add(other);
              other.kill('SIGKILL');
            }
        }, GRACE_MS);
      }
      return end;
    }),
  );
  clearTimeout(grace);
  signal.removeEventListener('abort', stop);
  const first = ends[0]!;
  if (!firstFailure) return 0;
  if (first.code !== null && first.code !== 0) return first.code; // it has said why
  process.stderr.write(firstFailure.said || `error: ${describeEnd(firstFailure)}\n`);
  return firstFailure.code ?? 1;
}

function describeEnd({ rank, code, signal }: Ended): string {
  const how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
  return `rank ${rank} ${how}; the last checkpoint is whole, and the same command goes on from there`;
}

function start(rank: number, ranks: number, port: number, args: readonly string[]): ChildProcess {
  const place = {
    ...{ RANK: rank, LOCAL_RANK: rank, WORLD_SIZE: ranks, LOCAL_WORLD_SIZE: ranks },
    ...{ MASTER_ADDR: '127.0.0.1', MASTER_PORT: port, [LAUNCHED]: 1 },
  };
  const env = {
    ...process.env,
    ...Object.fromEntries(Object.entries(place).map(([k, v]) => [k, String(v)])),
  };
  return spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...args], {
    env,
    stdio: rank === 0 ? ['ignore', 'inherit', 'inherit', 'ipc'] : ['ignore', 'ignore', 'pipe', 'ipc'],
  });
}

function ended(child: ChildProcess, rank: number, wasKilled: () => boolean): Promise<Ended> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-10_000);
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ rank, code, signal, said, wasKilled: wasKilled() }));
  });
}

/** In a process that a launcher has started: ends it when the launcher is gone, so that none is left behind. */
export function endWithLauncher(): void {
  if (process.env[LAUNCHED] === undefined || !process.channel) return;
  process.channel.unref();
  process.once('disconnect', () => process.exit(1));
}

/** The arguments of a rank: those of the launcher, without the one that made it one. */
function withoutRanks(args: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < args.length; i++) {
    if (args[i] === '--ranks') i++;
    else if (!args[i]!.startsWith('--ranks=')) kept.push(args[i]!);
  }
  return kept;
}
