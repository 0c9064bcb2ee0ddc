import type { Command } from 'commander';
import { addCommonOptions, runAction } from '../run-action.js';

/** `vssl-native setup`: system packages, libtorch, native build. Nothing of it happens behind the user's back. */
export function registerSetup(program: Command): void {
  addCommonOptions(program.command('setup'))
    .description('get libtorch and what else is missing, and build the addons; cheap to run again')
    .option('--cuda', 'for a GPU as well: libtorch for CUDA (4.3 GB on disk), and an engine built with nvcc')
    .action(
      runAction<{ cuda?: boolean }>(async (_context, { cuda }) => {
        const { runTool } = await import('../run-tool.js');
        return { status: 'done', ...(await runTool('setup', cuda ? ['--cuda'] : [])) };
      }),
    );
}
