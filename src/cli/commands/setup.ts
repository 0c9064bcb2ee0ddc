import type { Command } from 'commander';
import { addCommonOptions, runAction } from '../run-action.js';

/** `vssl-native setup`: system packages, libtorch, native build. Nothing of it happens behind the user's back. */
export function registerSetup(program: Command): void {
  addCommonOptions(program.command('setup'))
    .description('get libtorch and what else is missing, and build the addons; cheap to run again')
    .action(
      runAction(async () => {
        const { runTool } = await import('../run-tool.js');
        return { status: 'done', ...(await runTool('setup', [])) };
      }),
    );
}
