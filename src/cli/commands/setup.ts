import { resolve } from 'node:path';
import type { Command } from 'commander';
import { addCommonOptions, runAction } from '../run-action.js';

interface SetupOptions {
  readonly cuda?: boolean;
  readonly wheel?: string;
  readonly yes?: boolean;
}

/** `vssl-native setup`: libtorch, the engine, what a build lacks. Nothing of it happens behind the user's back. */
export function registerSetup(program: Command): void {
  addCommonOptions(program.command('setup'))
    .description('get libtorch and what else is missing, and build the addons; cheap to run again')
    .option('--cuda', 'for a GPU as well: libtorch for CUDA (4.3 GB on disk), and an engine built with nvcc')
    .option('--wheel <file>', "PyTorch's wheel, or a folder of wheels, that you have: nothing is downloaded")
    .option('-y, --yes', 'do not ask before a download or an installation')
    .action(
      runAction<SetupOptions>(async (_context, { cuda, wheel, yes }) => {
        const { runTool } = await import('../run-tool.js');
        const args = [
          ...(cuda ? ['--cuda'] : []),
          ...(wheel === undefined ? [] : ['--wheel', resolve(wheel)]),
          ...(yes ? ['--yes'] : []),
        ];
        return { status: 'done', ...(await runTool('setup', args)) };
      }),
    );
}
