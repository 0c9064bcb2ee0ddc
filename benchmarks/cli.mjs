// The package's commands, as a user calls them.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from './page.mjs';

/** Runs a command, whose progress is shown, and gives its result. */
export function cli(args) {
  console.error(`$ vssl-native ${args.join(' ')}`);
  const { status, stdout } = spawnSync(
    process.execPath,
    [join(root, 'dist/esm/cli/main.js'), ...args, '--json'],
    { encoding: 'utf8', maxBuffer: 2 ** 28, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  if (status !== 0) throw new Error(`vssl-native ${args[0]} ended with ${status}`);
  return JSON.parse(stdout.trimEnd().split('\n').at(-1));
}

/** Every method of the package. */
export const methodNames = () => cli(['methods']).methods.map(({ name }) => name);
