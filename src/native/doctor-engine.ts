/** What the doctor says of the addons and of what they are linked against. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { messageOf } from '../errors.js';
import type { EngineAddon, KernelsAddon } from './bindings.js';
import { type DoctorCheck, judge } from './doctor-check.js';
import { here } from './here.js';
import { findLibtorch } from './libtorch.js';
import { tryLoad } from './load.js';
import type { EngineProbe } from './probe-engine.js';

export function checkKernels(): DoctorCheck {
  const { addon, attempts } = tryLoad('kernels');
  const name = 'kernels addon';
  if (!addon) {
    const found = attempts.map((a) => `${a.path}: ${a.message}`).join('; ');
    const remedy = attempts.find((a) => a.remedy)?.remedy ?? "get it, or build it: 'npx vssl-native setup'";
    return judge(name, false, found, 'fault', remedy, { attempts });
  }
  const isa = (addon as KernelsAddon).isa();
  const found = `loaded from ${attempts.at(-1)!.path}, ${isa.selected} (processor: ${isa.detected.join(', ')})`;
  return judge(name, true, found, 'fault', undefined, { attempts, isa });
}

export interface EngineResult {
  readonly probe?: EngineProbe;
  /** Why the child gave no answer. */
  readonly death?: string;
}

/** Starts the child process; what it cannot say is told by how it ended. `more`: of its environment. */
export function probeEngine(
  selfTest: boolean,
  more: Readonly<Record<string, string>> = {},
): Promise<EngineResult> {
  const args = [join(here, 'probe-engine.js'), ...(selfTest ? ['--self-test'] : [])];
  const env = { ...process.env, ELECTRON_RUN_AS_NODE: '1', ...more };
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

export function checkEngine({ probe, death }: EngineResult): DoctorCheck[] {
  const attempts = probe?.attempts ?? [];
  const name = 'engine addon';
  if (!probe?.info) {
    const found = death ?? attempts.map((a) => `${a.path}: ${a.message}`).join('; ');
    const absent = death === undefined && attempts.every((a) => a.code === 'absent');
    const remedy = absent
      ? "get it, and libtorch: 'npx vssl-native setup'"
      : (attempts.find((a) => a.remedy)?.remedy ??
        "build it again for this machine's libtorch: 'npx vssl-native build'");
    return [judge(name, false, found, 'fault', remedy, { attempts })];
  }
  const loaded = judge(name, true, `loaded from ${attempts.at(-1)!.path}`, 'fault', undefined, { attempts });
  return [loaded, ...checkLibraries(probe.info), ...checkNumbers(probe)];
}

type EngineInfo = ReturnType<EngineAddon['info']>;

function checkLibraries(info: EngineInfo): DoctorCheck[] {
  const { torchVersion, cpuCapability, threads, libavVersion, flowVersion } = info;
  const torch = `${torchVersion}, ${cpuCapability}, ${threads} threads`;
  return [
    judge('libtorch', true, torch, 'fault', undefined, { version: torchVersion, cpuCapability, threads }),
    judge(
      'FFmpeg (libav)',
      libavVersion !== '',
      libavVersion || 'the engine was built without it: video files cannot be opened',
      'fault',
      "install libavformat-dev, libavcodec-dev and libswscale-dev, then 'npx vssl-native build'",
      libavVersion ? { version: libavVersion } : undefined,
    ),
    judge(
      'optical flow',
      flowVersion !== '',
      flowVersion || `none: ${info.flowFault}`,
      'note',
      "only for flow: apt-get install libopencv-video-dev, then 'npx vssl-native build'",
      flowVersion ? { version: flowVersion } : undefined,
    ),
  ];
}

function checkNumbers({ info, selfTest, gpuSelfTest }: EngineProbe): DoctorCheck[] {
  const fast = info!.bf16Fast;
  const speed = fast ? 'native instructions' : 'no native instructions: emulated, slow';
  const fp32 = 'set train.precision to fp32';
  const agrees = (name: string, fault: string) => {
    const found = fault || 'bf16 conv3d weight gradients agree with fp32';
    return judge(name, fault === '', found, 'fault', `${fp32}, or use another libtorch version`);
  };
  return [
    judge('bf16', fast, speed, 'note', fp32),
    ...(selfTest === undefined ? [] : [agrees('engine self-test', selfTest)]),
    ...(gpuSelfTest === undefined ? [] : [agrees('GPU self-test', gpuSelfTest)]),
  ];
}

/** What a build of the engine would use, or one that is there; asked only when there is no engine to tell. */
export function checkLibtorch(): DoctorCheck {
  const name = 'libtorch';
  const remedy = "get it: 'npx vssl-native setup'; or set LIBTORCH to the folder of one that you have";
  try {
    const details = findLibtorch();
    const found = details
      ? `${details.version} in ${details.prefix} (${details.source}), not yet built against`
      : 'not found';
    return judge(name, details !== null, found, 'fault', remedy, details ? { ...details } : undefined);
  } catch (error) {
    return judge(name, false, messageOf(error), 'fault', remedy);
  }
}
