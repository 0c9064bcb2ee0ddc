import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { VsslError } from '../../errors.js';
import { needsNoGpu, parseCount, unlessStopped } from '../action-helpers.js';
import { addMethodsOption } from '../own-methods.js';
import { addCommonOptions, runAction } from '../run-action.js';

interface InitFlags {
  readonly data: string;
  readonly out: string;
  readonly method?: string;
  readonly preset?: string;
  readonly look?: number;
  readonly force?: boolean;
}

/** `vssl-native init`: a commented configuration for a folder of videos. */
export function registerInit(program: Command): void {
  addMethodsOption(addCommonOptions(program.command('init')))
    .description('look at a folder of videos and write a commented configuration that fits them')
    .requiredOption('--data <path>', 'folder or manifest of the videos')
    .option('--out <file>', "where the configuration goes; '-' for stdout", 'train.yaml')
    .option('--method <name>', 'what trains (default: cvrl)')
    .option('--preset <name>', 'settings to start from (default: those for this machine and so many videos)')
    .option('--look <n>', 'videos to look at (default: 64)', parseCount)
    .option('--force', 'write over a file that is there')
    .action(
      runAction<InitFlags>(async ({ print, logger, signal }, flags) => {
        needsNoGpu();
        const { data, out, method, preset, look, force = false } = flags;
        if (out !== '-' && !force && (await stat(out).catch(() => null)))
          throw new VsslError(
            'ERR_VSSL_USAGE',
            `${out} is there already; name another --out, or give --force`,
          );
        const { suggestConfig } = await import('../../init/suggest-config.js');
        const result = await unlessStopped(signal, suggestConfig({ data, method, preset, look, signal }));
        for (const warning of result.looked.warnings) logger.warn(warning);
        if (out === '-') print(result.text.trimEnd());
        else {
          const { writeResultFile } = await import('../../weights/atomic-write.js');
          await writeResultFile(out, result.text);
          print(`${out}: ${result.preset} for ${result.looked.videos} videos`);
          print(`next: npx vssl-native train --config ${out} --out run`);
        }
        return { ...result, out: out === '-' ? null : out };
      }),
    );
}
