import type { Command } from 'commander';
import { stringify } from 'yaml';
import { addMethodsOption } from '../own-methods.js';
import { addCommonOptions, runAction } from '../run-action.js';
import { formatTable } from '../table.js';

/** `vssl-native presets`: named settings; with a name, the whole configuration that it stands for. */
export function registerPresets(program: Command): void {
  addMethodsOption(addCommonOptions(program.command('presets [name]')))
    .description('the presets; with a name, its whole configuration as YAML')
    .action(
      runAction(async ({ print }, _options, [name]) => {
        const { getPreset, listPresets } = await import('../../methods/registry.js');
        const { lackOfCuda, lookAround } = await import('../../native/flavour.js');
        const noGpu = lackOfCuda(lookAround())?.reason ?? null;
        if (name === undefined) {
          const presets = listPresets().map(({ name, description, config, needsGpu = false }) => ({
            name,
            method: config.method,
            description,
            needsGpu,
          }));
          print(
            formatTable(
              [{ title: 'preset' }, { title: 'needs' }, { title: 'what it is' }],
              presets.map((preset) => [preset.name, preset.needsGpu ? 'a GPU' : '', preset.description]),
            ),
          );
          if (noGpu !== null) print(`\n${sayNoGpu(noGpu)}`);
          return { presets, noGpu };
        }
        const { description, needsGpu = false } = getPreset(name);
        const { loadConfig } = await import('../../methods/config.js');
        const config = loadConfig({ preset: name });
        const gpu = needsGpu ? `# It needs a GPU.${noGpu === null ? '' : ` ${sayNoGpu(noGpu)}`}\n` : '';
        print(`# ${description}\n${gpu}${stringify(config).trimEnd()}`);
        return { name, description, config, needsGpu };
      }),
    );
}

function sayNoGpu(reason: string): string {
  return `None can be used here: ${reason}; 'npx vssl-native doctor' says more.`;
}
