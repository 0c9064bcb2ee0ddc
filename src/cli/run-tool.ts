import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ERROR_CODES } from '../error-codes.js';
import { VsslError, type VsslErrorCode } from '../errors.js';
import { packageRoot } from '../native/load.js';

/** What a tool's exit code means. */
const KINDS: Readonly<Record<number, VsslErrorCode>> = {
  2: 'ERR_VSSL_USAGE',
  3: 'ERR_VSSL_ENVIRONMENT',
  130: 'ERR_VSSL_ABORTED',
};

/** What a tool says of its failure. */
interface ToolFault {
  readonly message: string;
  readonly code?: string;
}

/** Runs one of the package's own tools; its output goes to stderr. Throws what it says, or what its exit code means. */
export async function runTool(name: string, args: readonly string[]): Promise<{ seconds: number }> {
  const path = join(packageRoot, 'tools', `${name}.mjs`);
  if (!existsSync(path))
    throw new VsslError(
      'ERR_VSSL_ENVIRONMENT',
      `${path} is missing: this installation is not complete; install it again`,
    );
  const start = performance.now();
  let fault: ToolFault | undefined;
  const code = await new Promise<number>((resolve, reject) => {
    const child = spawn(process.execPath, [path, ...args], {
      stdio: ['inherit', process.stderr, 'inherit', 'ipc'],
    });
    child.on('error', reject);
    child.on('message', (message) => {
      fault = message as ToolFault;
    });
    // Ctrl-C reaches the tool by itself: it is in the same process group.
    child.on('close', (status, signal) => resolve(signal ? 130 : (status ?? 1)));
  });
  if (code === 0) return { seconds: (performance.now() - start) / 1000 };
  const known = fault?.code !== undefined && fault.code in ERROR_CODES ? (fault.code as VsslErrorCode) : null;
  throw new VsslError(
    known ?? KINDS[code] ?? 'ERR_VSSL_BUILD',
    fault?.message ?? `${name} did not end well (exit code ${code}); its messages above say why`,
  );
}
