import { execFile } from 'node:child_process';

/** One thing that was looked at. */
export interface DoctorCheck {
  readonly name: string;
  /** ok; note: absent or slower, everything else works; fault: something that is needed does not work. */
  readonly status: 'ok' | 'note' | 'fault';
  /** What was found. */
  readonly found: string;
  /** What to do about it; absent when nothing needs doing. */
  readonly remedy?: string;
  /** Facts for programs: versions, attempts, counts. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** What is told of a thing: `remedy` only when it is not `good`, which then is `otherwise`. */
export function judge(
  name: string,
  good: boolean,
  found: string,
  otherwise: 'note' | 'fault',
  remedy?: string,
  details?: DoctorCheck['details'],
): DoctorCheck {
  const status = good ? 'ok' : otherwise;
  return { name, status, found, ...(good || !remedy ? {} : { remedy }), ...(details ? { details } : {}) };
}

/** Trimmed stdout of a program, null when it is missing or fails. */
export function output(command: string, args: readonly string[]): Promise<string | null> {
  return new Promise((resolve) =>
    execFile(command, args, { timeout: 20_000 }, (error, stdout) => resolve(error ? null : stdout.trim())),
  );
}
