import { resolve } from 'node:path';
import type { Command } from 'commander';
import { addCommonOptions, runAction } from '../run-action.js';

interface BuildOptions {
  readonly libtorch?: string;
  readonly kernelsOnly?: boolean;
  readonly force?: boolean;
  readonly methods?: string;
  readonly cuda?: boolean;
}

/** `vssl-native build`: the addons from source. */
export function registerBuild(program: Command): void {
  addCommonOptions(program.command('build'))
    .description('build the addons from source, where something changed')
    .option(
      '--libtorch <dir>',
      'libtorch to build against, of the CUDA engine with --cuda (default: the one that setup finds)',
    )
    .option('--cuda', 'also the engine for CUDA')
    .option('--kernels-only', 'only the addon that needs no libtorch')
    .option('--force', 'build also what is up to date')
    .option(
      '--methods <dir>',
      'also an engine with the methods of this folder, NAME.cpp each, in DIR/build: for train --methods DIR',
    )
    .action(
      runAction<BuildOptions>(async (_context, { libtorch, kernelsOnly, force, methods, cuda }) => {
        const { runTool } = await import('../run-tool.js');
        const args = [
          ...(libtorch === undefined ? [] : ['--libtorch', libtorch]),
          ...(kernelsOnly ? ['--kernels-only'] : []),
          ...(force ? ['--force'] : []),
          ...(cuda ? ['--cuda'] : []),
          ...(methods === undefined ? [] : ['--methods', resolve(methods)]),
        ];
        return { status: 'done', ...(await runTool('build', args)) };
      }),
    );
}
