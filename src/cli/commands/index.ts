import type { Command } from 'commander';

/** A command, loaded when it is asked for. */
export interface CommandEntry {
  readonly name: string;
  readonly load: () => Promise<(program: Command) => void>;
}

/** Every command, in the order in which help shows them. A new one is a file of its own and a line here. */
export const COMMANDS: readonly CommandEntry[] = [
  { name: 'train', load: async () => (await import('./train.js')).registerTrain },
  { name: 'eval', load: async () => (await import('./eval.js')).registerEval },
  { name: 'embed', load: async () => (await import('./embed.js')).registerEmbed },
  { name: 'predict', load: async () => (await import('./predict.js')).registerPredict },
  { name: 'index', load: async () => (await import('./index-videos.js')).registerIndex },
  { name: 'duplicates', load: async () => (await import('./duplicates.js')).registerDuplicates },
  { name: 'search', load: async () => (await import('./search.js')).registerSearch },
  { name: 'merge', load: async () => (await import('./merge.js')).registerMerge },
  { name: 'report', load: async () => (await import('./report.js')).registerReport },
  { name: 'export', load: async () => (await import('./export.js')).registerExport },
  { name: 'import', load: async () => (await import('./import.js')).registerImport },
  { name: 'check', load: async () => (await import('./check.js')).registerCheck },
  { name: 'synthesize', load: async () => (await import('./synthesize.js')).registerSynthesize },
  { name: 'prepare', load: async () => (await import('./prepare.js')).registerPrepare },
  { name: 'bench', load: async () => (await import('./bench.js')).registerBench },
  { name: 'doctor', load: async () => (await import('./doctor.js')).registerDoctor },
  { name: 'methods', load: async () => (await import('./methods.js')).registerMethods },
  { name: 'presets', load: async () => (await import('./presets.js')).registerPresets },
  { name: 'setup', load: async () => (await import('./setup.js')).registerSetup },
  { name: 'build', load: async () => (await import('./build.js')).registerBuild },
];
