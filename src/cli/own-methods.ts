/** --methods PATH: methods of one's own, from a module or from every module of a folder. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { repeatable } from './config-flags.js';

/** The flag of every command that names methods or presets; they are registered before its action. */
export function addMethodsOption(command: Command): Command {
  return command
    .addOption(repeatable('--methods <path>', 'methods of your own: a module, or a folder of modules'))
    .hook('preAction', async (_, action) => {
      const paths = action.opts().methods as readonly string[];
      if (paths.length === 0) return;
      const { loadMethods } = await import('../train/load-methods.js');
      for (const path of paths) await loadMethods(resolve(path));
    });
}
