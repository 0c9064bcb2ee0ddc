import type { Command } from 'commander';
import { metered, needsNoGpu } from '../action-helpers.js';
import { addCommonOptions, runAction } from '../run-action.js';

interface SynthesizeFlags {
  readonly data: readonly string[];
  readonly out: string;
}

/** `vssl-native synthesize`: the procedural motion set as video files. */
export function registerSynthesize(program: Command): void {
  addCommonOptions(program.command('synthesize'))
    .description('write the procedural motion set as video files with a manifest')
    .requiredOption(
      '--data <spec...>',
      "such as 'synthetic:motion?split=train&count=480&seed=0'; several are joined",
    )
    .requiredOption('--out <dir>', 'folder to write into')
    .action(
      runAction<SynthesizeFlags>(async (context, { data, out }) => {
        needsNoGpu();
        const { writeSyntheticVideos } = await import('../../prepare/write-synthetic.js');
        const { signal } = context;
        const result = await metered(context, 'written', (onProgress) =>
          writeSyntheticVideos({ data, out, signal, onProgress }),
        );
        context.print(`${result.count} videos; ${result.manifest}`);
        return result;
      }),
    );
}
