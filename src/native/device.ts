/** Where a network of this process runs, once its engine is loaded. */
import type { Device, DeviceChoice } from '../checks.js';
import { VsslError } from '../errors.js';
import type { EngineAddon } from './bindings.js';
import { cudaUnavailable, lackOfCuda, lookAround } from './flavour.js';

type EngineInfo = ReturnType<EngineAddon['info']>;

/** Convolutions of clips in bf16 are wrong before it (pytorch/pytorch issue 163539). */
const LEAST_CUDNN = [9, 15] as const;

/**
 * The device that a choice comes to. `localRank`: the number of this rank on its machine, whose GPU of that number is
 * `cuda`. Throws ERR_VSSL_CUDA_UNAVAILABLE.
 */
export function chooseDevice(
  engine: Pick<EngineAddon, 'info'>,
  wanted: DeviceChoice,
  localRank: number | null = null,
): Device {
  if (wanted === 'cpu') return 'cpu';
  const info = engine.info();
  if (!info.cudaAvailable) {
    if (wanted === 'auto') return 'cpu';
    throw noCuda(wanted, info);
  }
  const named = wanted !== 'auto' && wanted !== 'cuda';
  const device = named ? wanted : localRank === null ? 'cuda' : (`cuda:${localRank}` as const);
  const count = info.cudaDevices.length;
  if (Number(device.split(':')[1] ?? 0) < count) return device;
  throw cudaUnavailable(device, {
    reason: count === 1 ? 'there is one GPU, cuda:0' : `there are ${count} GPUs, cuda:0 to cuda:${count - 1}`,
    remedy: named ? 'name one of them' : 'start as many ranks as there are GPUs, or name one GPU for all',
  });
}

function noCuda(wanted: DeviceChoice, { cudaBuilt, cudaReason }: EngineInfo): VsslError {
  if (cudaBuilt)
    return cudaUnavailable(wanted, { reason: cudaReason, remedy: "see 'npx vssl-native doctor'" });
  const taken = {
    reason: 'this process has the engine for the CPU already, and can have no other',
    remedy: "say so before anything loads the engine (preload('cuda')), or set VSSL_ENGINE=cuda",
  };
  return cudaUnavailable(wanted, lackOfCuda(lookAround()) ?? taken);
}

/** Why `auto` is the CPU here. */
export function whyNoGpu({ cudaBuilt, cudaReason }: EngineInfo): string {
  if (cudaBuilt) return cudaReason;
  return lackOfCuda(lookAround())?.reason ?? 'this process has the engine for the CPU';
}

/** Throws ERR_VSSL_CUDA_UNAVAILABLE for bf16 on a GPU whose cuDNN computes it wrongly. */
export function checkPrecision(
  engine: Pick<EngineAddon, 'info'>,
  device: Device,
  precision: 'fp32' | 'bf16' | 'fp16',
): void {
  if (device === 'cpu' || precision !== 'bf16') return;
  const { cudnnVersion, torchVersion } = engine.info();
  if (!isOldCudnn(cudnnVersion)) return;
  throw new VsslError(
    'ERR_VSSL_CUDA_UNAVAILABLE',
    `bf16 on device '${device}' needs cuDNN ${LEAST_CUDNN.join('.')} or newer: ${cudnnVersion}, which comes with libtorch ` +
      `${torchVersion} here, computes convolutions of clips in bf16 wrongly. What to do: use precision fp32, or build ` +
      "against the libtorch that 'npx vssl-native setup --cuda' gets",
    { details: { device, cudnnVersion } },
  );
}

/** Of a version such as 9.10.2; one that is not known is not old. */
export function isOldCudnn(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return version !== '' && (major < LEAST_CUDNN[0] || (major === LEAST_CUDNN[0] && minor < LEAST_CUDNN[1]));
}
