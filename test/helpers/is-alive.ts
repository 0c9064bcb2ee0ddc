import { readFileSync } from 'node:fs';

/** Whether a process lives. A zombie does not: it has ended, and in a container it may be that nobody ever collects it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
