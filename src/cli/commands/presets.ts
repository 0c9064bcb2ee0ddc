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
        if (name === undefined) {
          const presets = listPresets().map(({ name, description, config }) => ({
            name,
            method: config.method,
            description,
          }));
          print(
            formatTable(
              [{ title: 'preset' }, { title: 'what it is' }],
              presets.map((preset) => [preset.name, preset.description]),
            ),
          );
          return { presets };
        }
        const { description } = getPreset(name);
        const { loadConfig } = await import('../../methods/config.js');
        const config = loadConfig({ preset: name });
        print(`# ${description}\n${stringify(config).trimEnd()}`);
        return { name, description, config };
      }),
    );
}
