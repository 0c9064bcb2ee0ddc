import { readFileSync } from 'node:fs';

const TICK = 0.01; // of /proc, in seconds: USER_HZ is 100 everywhere

interface Usage {
  /** Seconds of all processors together: all there were, and those in which they worked (for another machine, too). */
  readonly all: number;
  readonly busy: number;
  /** Of this process and of those named. */
  readonly own: number;
}

/** Shares of all processors, 0 to 1. */
export interface Crowd {
  /** Used by other programs. */
  readonly others: number;
  /** Used by nobody. */
  readonly idle: number;
}

/**
 * Begins to watch the processors. The function returned tells who used them meanwhile, others being neither this process
 * nor those of `pids`; undefined where the system does not tell.
 */
export function watchOthers(pids: readonly number[]): () => Crowd | undefined {
  const before = usage(pids);
  return () => {
    const after = usage(pids);
    if (!before || !after || after.all <= before.all) return undefined;
    const all = after.all - before.all;
    const busy = after.busy - before.busy;
    const others = Math.max(0, busy - (after.own - before.own));
    return { others: others / all, idle: Math.max(0, 1 - busy / all) };
  };
}

function usage(pids: readonly number[]): Usage | undefined {
  try {
    const [line] = readFileSync('/proc/stat', 'utf8').split('\n');
    // user nice system idle iowait irq softirq steal
    const ticks = line!.trim().split(/\s+/).slice(1, 9).map(Number);
    const all = TICK * ticks.reduce((sum, count) => sum + count, 0);
    const { user, system } = process.cpuUsage();
    const children = pids.reduce((sum, pid) => sum + secondsOf(pid), 0);
    return { all, busy: all - TICK * (ticks[3]! + ticks[4]!), own: (user + system) / 1e6 + children };
  } catch {
    return undefined;
  }
}

/** User and system time; its name, which may hold anything, ends with the last parenthesis. */
function secondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
  return TICK * (Number(fields[11]) + Number(fields[12]));
}
