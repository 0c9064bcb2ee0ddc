import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { VsslError } from '../errors.js';
import { packageRoot } from '../native/load.js';

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
  const kind = code === 3 ? 'ERR_VSSL_ENVIRONMENT' : code === 130 ? 'ERR_VSSL_ABORTED' : 'ERR_VSSL_BUILD';
  throw new VsslError(kind, `${name} did not end well (exit code ${code}); its messages above say why`);
}
