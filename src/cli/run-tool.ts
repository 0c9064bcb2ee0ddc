import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { VsslError, type VsslErrorCode } from '../errors.js';
import { packageRoot } from '../native/load.js';

/** What a tool's exit code means. */
const KINDS: Readonly<Record<number, VsslErrorCode>> = {
  2: 'ERR_VSSL_USAGE',
  3: 'ERR_VSSL_ENVIRONMENT',
  130: 'ERR_VSSL_ABORTED',
};

/** Runs one of the package's own tools; its output goes to stderr. Throws with the tool's exit code behind it. */
export async function runTool(name: string, args: readonly string[]): Promise<{ seconds: number }> {
  const path = join(packageRoot, 'tools', `${name}.mjs`);
  if (!existsSync(path))
    throw new VsslError(
      'ERR_VSSL_ENVIRONMENT',
      `${path} is missing: this installation is not complete; install it again`,
    );
  const start = performance.now();
  const code = await new Promise<number>((resolve, reject) => {
    const child = spawn(process.execPath, [path, ...args], { stdio: ['ignore', process.stderr, 'inherit'] });
    child.on('error', reject);
    // Ctrl-C reaches the tool by itself: it is in the same process group.
    child.on('exit', (status, signal) => resolve(signal ? 130 : (status ?? 1)));
  });
  if (code === 0) return { seconds: (performance.now() - start) / 1000 };
  throw new VsslError(
    KINDS[code] ?? 'ERR_VSSL_BUILD',
    `${name} did not end well (exit code ${code}); its messages above say why`,
  );
}
