/**
 * Measures what one call of a case takes beyond its arguments, in a process that does nothing else: `peak-memory.js
 * CASE THREADS` prints the bytes. Linux alone can set the high-water mark back; elsewhere nothing is measured.
 */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '../native/load.js';
import type { BenchCase } from './case.js';
import { benchCases } from './cases/index.js';

/** Undefined where it cannot be measured. */
export async function measureExtraMemory(
  { name }: BenchCase,
  threads: number,
  signal?: AbortSignal,
): Promise<number | undefined> {
  if (process.platform !== 'linux') return undefined;
  const script = join(packageRoot, 'dist', 'esm', 'bench', 'peak-memory.js');
  const { stdout } = await promisify(execFile)(process.execPath, [script, name, String(threads)], { signal });
  const bytes = Number(stdout.trim());
  return Number.isFinite(bytes) ? bytes : undefined;
}

async function peakOfOneCall(name: string, threads: number): Promise<number> {
  const chosen = benchCases.find((one) => one.name === name)!;
  // the addon, its threads and the compiled JavaScript are there before the measurement begins
  await chosen.prepare(chosen.small).run(threads);
  const workload = chosen.prepare(chosen.parameters);
  for (const output of Object.values(workload.outputs())) output.fill(1);
  writeFileSync('/proc/self/clear_refs', '5');
  const before = statusBytes('VmRSS');
  await workload.run(threads);
  return statusBytes('VmHWM') - before;
}

function statusBytes(key: string): number {
  const line = new RegExp(`^${key}:\\s*(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'));
  return 1024 * Number(line?.[1]);
}

if (process.argv[1]?.endsWith(join('bench', 'peak-memory.js')))
  peakOfOneCall(process.argv[2]!, Number(process.argv[3])).then(
    (bytes) => console.log(bytes),
    () => console.log('not measured'),
  );
