import { resolve } from 'node:path';
import type { Command } from 'commander';
import { addCommonOptions, runAction } from '../run-action.js';

interface SetupOptions {
  readonly cuda?: boolean;
  readonly wheel?: string;
  readonly yes?: boolean;
  readonly build?: boolean;
}

/** `vssl-native setup`: libtorch, the engine, what a build lacks. Nothing of it happens behind the user's back. */
export function registerSetup(program: Command): void {
  addCommonOptions(program.command('setup'))
    .description('get libtorch and the engine of this system, or build it; cheap to run again')
    .option('--cuda', 'for a GPU as well: libtorch for CUDA (4.3 GB on disk), and the engine for it')
    .option('--wheel <file>', "PyTorch's wheel, or a folder of wheels, that you have: nothing is downloaded")
    .option('--build', 'build from source, also where there is a package with the engine')
    .option('-y, --yes', 'do not ask before a download or an installation')
    .action(
      runAction<SetupOptions>(async (_context, { cuda, wheel, yes, build }) => {
        const { runTool } = await import('../run-tool.js');
        const args = [
          ...(cuda ? ['--cuda'] : []),
          ...(wheel === undefined ? [] : ['--wheel', resolve(wheel)]),
          ...(build ? ['--build'] : []),
          ...(yes ? ['--yes'] : []),
        ];
        return { status: 'done', ...(await runTool('setup', args)) };
      }),
    );
}
