import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkOptions } from '../checks.js';
import type { KernelsAddon } from './bindings.js';
import { bundleAdvice, bundlePlace } from './bundled.js';
import { here } from './here.js';
import { packageRoot, packageVersion, tryLoad } from './load.js';
import { platformTag } from './platform.js';
import type { EngineProbe } from './probe-engine.js';

/** One thing that was looked at. */
export interface DoctorCheck {
  readonly name: string;
  /** ok; note: absent or slower, everything else works; fault: something that is needed does not work. */
  readonly status: 'ok' | 'note' | 'fault';
  /** What was found. */
  readonly found: string;
  /** What to do about it; absent when nothing needs doing. */
  readonly remedy?: string;
  /** Facts for programs: versions, attempts, counts. */
  readonly details?: Readonly<Record<string, unknown>>;
}

export interface DoctorReport {
  readonly version: string;
  readonly platform: string;
  /** No check is a fault. */
  readonly ok: boolean;
  readonly checks: readonly DoctorCheck[];
}

export interface DoctorOptions {
  /** Runs the engine's numerical self-test, some seconds. Default true. */
  readonly selfTest?: boolean;
  /** Folder whose writability is tested. Default: the current one. */
  readonly folder?: string;
}

/**
 * Looks at everything that the package needs and says what is missing and how to get it. Never throws for a fault and
 * needs no libtorch: the engine is tried in a child process, so that one which does not fit the processor ends there.
 */
export async function doctor(options: DoctorOptions = {}): Promise<DoctorReport> {
  checkOptions(options, ['selfTest', 'folder']);
  const engine = await probeEngine(options.selfTest ?? true);
  const built = engine.probe?.info !== undefined;
  const groups = await Promise.all([
    checkNode(),
    checkBundle(),
    checkKernels(),
    checkEngine(engine),
    built ? [] : checkLibtorch(),
    built ? [] : checkPackageFolder(),
    checkDriver(),
    checkThreads(engine.probe),
    checkFolder(options.folder ?? process.cwd()),
    ...tools.map((tool) => checkTool(tool, built)),
  ]);
  const checks = groups.flat();
  return {
    version: packageVersion,
    platform: platformTag(),
    ok: checks.every((check) => check.status !== 'fault'),
    checks,
  };
}

function checkNode(): DoctorCheck {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const napi = Number(process.versions.napi ?? 0);
  const good = (major > 20 || (major === 20 && minor >= 17)) && napi >= 9;
  return {
    name: 'Node.js',
    status: good ? 'ok' : 'fault',
    found: `${process.version}, Node-API ${napi}, ${platformTag()}`,
    ...(good ? {} : { remedy: 'install Node.js 20.17 or newer' }),
    details: { node: process.versions.node, napi },
  };
}

function checkBundle(): DoctorCheck[] {
  const bundle = bundlePlace();
  if (bundle === null) return [];
  const found = `taken into a bundle (in ${bundle}), without its addons, tools and scripts`;
  return [{ name: 'package', status: 'fault', found, remedy: bundleAdvice }];
}

function checkKernels(): DoctorCheck {
  const { addon, attempts } = tryLoad('kernels');
  if (!addon)
    return {
      name: 'kernels addon',
      status: 'fault',
      found: attempts.map((a) => `${a.path}: ${a.message}`).join('; '),
      remedy: "build it: 'npx vssl-native build'",
      details: { attempts },
    };
  const isa = (addon as KernelsAddon).isa();
  return {
    name: 'kernels addon',
    status: 'ok',
    found: `loaded from ${attempts.at(-1)!.path}, ${isa.selected} (processor: ${isa.detected.join(', ')})`,
    details: { attempts, isa },
  };
}

interface EngineResult {
  readonly probe?: EngineProbe;
  /** Why the child gave no answer. */
  readonly death?: string;
}

/** Starts the child process; what it cannot say is told by how it ended. */
function probeEngine(selfTest: boolean): Promise<EngineResult> {
  const args = [join(here, 'probe-engine.js'), ...(selfTest ? ['--self-test'] : [])];
  const env = { ...process.env, ELECTRON_RUN_AS_NODE: '1' };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      args,
      { env, timeout: 120_000, maxBuffer: 1 << 24 },
      (error, stdout, stderr) => {
        try {
          resolve({ probe: JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as EngineProbe });
        } catch {
          const signal = (error as { signal?: string } | null)?.signal;
          const why = signal
            ? `the process that loaded it died of ${signal}`
            : 'the process that loaded it failed';
          resolve({ death: [why, stderr.trim().split('\n').at(-1)].filter(Boolean).join(': ') });
        }
      },
    );
  });
}

function checkEngine({ probe, death }: EngineResult): DoctorCheck[] {
  const info = probe?.info;
  const attempts = probe?.attempts ?? [];
  if (!info) {
    const absent = death === undefined && attempts.every((a) => a.code === 'absent');
    return [
      {
        name: 'engine addon',
        status: 'fault',
        found: death ?? attempts.map((a) => `${a.path}: ${a.message}`).join('; '),
        remedy: absent
          ? "get libtorch and build it: 'npx vssl-native setup'"
          : "build it again for this machine's libtorch: 'npx vssl-native build'",
        details: { attempts },
      },
    ];
  }
  const cuda = info.cudaAvailable ? 'available' : info.cudaReason || 'this libtorch is a CPU build';
  const checks: DoctorCheck[] = [
    {
      name: 'engine addon',
      status: 'ok',
      found: `loaded from ${attempts.at(-1)!.path}`,
      details: { attempts },
    },
    {
      name: 'libtorch',
      status: 'ok',
      found: `${info.torchVersion}, ${info.cpuCapability}, ${info.threads} threads`,
      details: { version: info.torchVersion, cpuCapability: info.cpuCapability, threads: info.threads },
    },
    {
      name: 'CUDA',
      status: info.cudaAvailable ? 'ok' : 'note',
      found: cuda,
      ...(info.cudaAvailable || info.cudaBuilt
        ? {}
        : { remedy: 'only for a GPU: build with a CUDA libtorch (set LIBTORCH to its folder)' }),
      details: { built: info.cudaBuilt, available: info.cudaAvailable },
    },
    info.libavVersion
      ? {
          name: 'FFmpeg (libav)',
          status: 'ok',
          found: info.libavVersion,
          details: { version: info.libavVersion },
        }
      : {
          name: 'FFmpeg (libav)',
          status: 'fault',
          found: 'the engine was built without it: video files cannot be opened',
          remedy: "install libavformat-dev, libavcodec-dev and libswscale-dev, then 'npx vssl-native build'",
        },
    {
      name: 'optical flow',
      status: info.flowVersion ? 'ok' : 'note',
      found: info.flowVersion || `none: ${info.flowFault}`,
      ...(info.flowVersion
        ? { details: { version: info.flowVersion } }
        : { remedy: "only for flow: apt-get install libopencv-video-dev, then 'npx vssl-native build'" }),
    },
    {
      name: 'bf16',
      status: info.bf16Fast ? 'ok' : 'note',
      found: info.bf16Fast ? 'native instructions' : 'no native instructions: emulated, slow',
      ...(info.bf16Fast ? {} : { remedy: 'set train.precision to fp32' }),
    },
  ];
  if (probe.selfTest !== undefined)
    checks.push({
      name: 'engine self-test',
      status: probe.selfTest === '' ? 'ok' : 'fault',
      found: probe.selfTest === '' ? 'bf16 conv3d weight gradients agree with fp32' : probe.selfTest,
      ...(probe.selfTest === ''
        ? {}
        : { remedy: 'set train.precision to fp32, or use another libtorch version' }),
    });
  return checks;
}

/** What a build of the engine would use; asked only when there is no engine to tell. */
async function checkLibtorch(): Promise<DoctorCheck> {
  const tool = pathToFileURL(join(packageRoot, 'tools', 'locate-libtorch.mjs')).href;
  const script = `import(${JSON.stringify(tool)}).then((m) => console.log(JSON.stringify(m.locateLibtorch() ?? null)))`;
  const answer = await output(process.execPath, ['--input-type=module', '-e', script]);
  const found = answer
    ? (JSON.parse(answer) as { prefix: string; version: string; source: string } | null)
    : null;
  return found
    ? {
        name: 'libtorch',
        status: 'ok',
        found: `${found.version} in ${found.prefix} (${found.source}), not yet built against`,
        details: found,
      }
    : {
        name: 'libtorch',
        status: 'fault',
        found: 'not found',
        remedy: "get it: 'npx vssl-native setup'; or set LIBTORCH to the folder of one that you have",
      };
}

async function checkDriver(): Promise<DoctorCheck> {
  const text = await readFile('/proc/driver/nvidia/version', 'utf8').catch(() => '');
  const version = /Kernel Module(?: for \S+)?\s+(\S+)/.exec(text)?.[1];
  return {
    name: 'NVIDIA driver',
    status: version ? 'ok' : 'note',
    found: version ?? 'none: everything runs on the processor',
    ...(version ? { details: { version } } : {}),
  };
}

async function checkThreads(probe: EngineProbe | undefined): Promise<DoctorCheck> {
  const visible = availableParallelism();
  const quota = await cpuQuota();
  const usable = Math.max(1, Math.min(visible, Math.floor(quota ?? visible)));
  const threads = probe?.info?.threads;
  const over = threads !== undefined && threads > usable;
  const limited = quota !== null && quota < visible ? `, limited to ${quota} by the container` : '';
  const memory = `${(totalmem() / 2 ** 30).toFixed(1)} GiB of memory`;
  return {
    name: 'processor',
    status: over ? 'note' : 'ok',
    found: `${cpus()[0]?.model.trim() ?? 'unknown'}, ${visible} threads${limited}, ${memory}`,
    ...(over ? { remedy: `libtorch would use ${threads} threads: set train.threads to ${usable}` } : {}),
    details: { visible, quota, usable },
  };
}

/** Processors that the cgroup allows, null without a limit. */
async function cpuQuota(): Promise<number | null> {
  try {
    const [quota, period] = (await readFile('/sys/fs/cgroup/cpu.max', 'utf8')).trim().split(' ');
    return quota === 'max' ? null : Number(quota) / Number(period);
  } catch {
    return null;
  }
}

/** Builds go into the package itself; told only when one has to be made and cannot. */
async function checkPackageFolder(): Promise<DoctorCheck[]> {
  const writable = await access(packageRoot, constants.W_OK).then(
    () => true,
    () => false,
  );
  if (writable) return [];
  return [
    {
      name: 'package folder',
      status: 'fault',
      found: `${packageRoot} is not writable, and the addons are built there`,
      remedy: 'build as the owner of that folder, or install the package in a project of your own',
    },
  ];
}

async function checkFolder(folder: string): Promise<DoctorCheck> {
  const writable = await access(folder, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
  return {
    name: 'write access',
    status: writable ? 'ok' : 'note',
    found: `${folder} is ${writable ? '' : 'not '}writable`,
    ...(writable ? {} : { remedy: 'run in a folder of your own, or give --out a path that you may write' }),
  };
}

interface Tool {
  readonly name: string;
  readonly commands: readonly (readonly [string, ...string[]])[];
  readonly purpose: string;
  readonly remedy: string;
}

/** Needed to build from source only: a note when the engine is there already. */
const tools: readonly Tool[] = [
  {
    name: 'C++ compiler',
    commands: [
      [process.env.CXX || 'c++', '--version'],
      ['g++', '--version'],
      ['clang++', '--version'],
    ],
    purpose: 'builds the addons',
    remedy: 'apt-get install g++',
  },
  {
    name: 'CMake',
    commands: [['cmake', '--version']],
    purpose: 'builds the addons',
    remedy: 'apt-get install cmake',
  },
  {
    name: 'Ninja or make',
    commands: [
      ['ninja', '--version'],
      ['make', '--version'],
    ],
    purpose: 'builds the addons',
    remedy: 'apt-get install ninja-build',
  },
  {
    name: 'pip',
    commands: [
      ['python3', '-m', 'pip', '--version'],
      ['pip3', '--version'],
    ],
    purpose: 'gets libtorch',
    remedy: 'apt-get install python3-pip, or set LIBTORCH to an unpacked libtorch',
  },
  {
    name: 'FFmpeg development files',
    commands: [['pkg-config', '--modversion', 'libavformat']],
    purpose: 'opens video files',
    remedy: 'apt-get install pkg-config libavformat-dev libavcodec-dev libavutil-dev libswscale-dev',
  },
];

async function checkTool(tool: Tool, built: boolean): Promise<DoctorCheck> {
  for (const [command, ...args] of tool.commands) {
    const text = await output(command, args);
    if (text !== null) return { name: tool.name, status: 'ok', found: `${command}: ${text.split('\n')[0]}` };
  }
  return {
    name: tool.name,
    status: built ? 'note' : 'fault',
    found: `not found (${tool.purpose}${built ? '; only needed to build again' : ''})`,
    remedy: tool.remedy,
  };
}

/** Trimmed stdout of a program, null when it is missing or fails. */
function output(command: string, args: readonly string[]): Promise<string | null> {
  return new Promise((resolve) =>
    execFile(command, args, { timeout: 20_000 }, (error, stdout) => resolve(error ? null : stdout.trim())),
  );
}
