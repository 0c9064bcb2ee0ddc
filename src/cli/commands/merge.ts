import type { Command } from 'commander';
import { addCommonOptions, runAction } from '../run-action.js';

interface MergeFlags {
  readonly out: string;
}

/** `vssl-native merge`: one file of what the jobs of `embed --shard` or `eval --shard` have written. */
export function registerMerge(program: Command): void {
  addCommonOptions(program.command('merge'))
    .description("make one file of those that 'embed' or 'eval' wrote with '--shard i/n'")
    .argument('<files...>', 'files of all shards')
    .requiredOption('--out <file>', 'file to write, of the format of the others')
    .action(
      runAction<MergeFlags>(async ({ print }, { out }, files) => {
        const { mergeEmbeddings } = await import('../../embed/merge-embeddings.js');
        const result = await mergeEmbeddings(files, out);
        print(`${result.count} vectors of ${result.files} files in ${result.out}`);
        return result;
      }),
    );
}
