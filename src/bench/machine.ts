import { execFileSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { loadKernels, packageRoot, packageVersion } from '../native/load.js';
import { platformTag } from '../native/platform.js';

/** Where and with what a result was made. */
export interface Machine {
  readonly cpu: string;
  /** Physical cores that the process may use. */
  readonly cores: number;
  readonly logicalCpus: number;
  readonly memoryBytes: number;
  /** The instruction-set path in use, and what the CPU has. */
  readonly isa: { readonly selected: string; readonly detected: readonly string[]; readonly bf16: boolean };
  readonly platform: string;
  readonly kernel: string;
  readonly node: string;
  readonly version: string;
  /** Of the package's own repository; `-dirty` when tracked files differ; absent outside one. */
  readonly commit?: string;
}

export function describeMachine(): Machine {
  const { isa, limits } = loadKernels();
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: limits.cores(),
    logicalCpus: processors.length,
    memoryBytes: totalmem(),
    isa: { ...isa(), bf16: limits.bf16Rate(0.001, 1) > 0 },
    platform: platformTag(),
    kernel: release(),
    node: process.versions.node,
    version: packageVersion,
    commit: commit(),
  };
}

function commit(): string | undefined {
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', packageRoot, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  try {
    // installed below someone else's repository, that one's commit would say nothing
    if (realpathSync(git('rev-parse', '--show-toplevel')) !== realpathSync(packageRoot)) return undefined;
    const dirty = git('status', '--porcelain', '--untracked-files=no') !== '';
    return `${git('rev-parse', 'HEAD')}${dirty ? '-dirty' : ''}`;
  } catch {
    return undefined;
  }
}
