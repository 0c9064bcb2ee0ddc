/** Which of the engine's builds a process loads. It is decided once, before any of it is loaded: two cannot live in one. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DeviceChoice } from '../checks.js';
import { VsslError } from '../errors.js';
import { type DriverSigns, lookForDriver } from './driver.js';
import { cudaPlaces, type Flavour, ownEngine } from './places.js';

/** What there is to choose from. */
export interface FlavourFacts {
  /** VSSL_ENGINE. */
  readonly named: string | undefined;
  /** Where a build for CUDA was looked for. */
  readonly cudaPlaces: readonly string[];
  /** The one that is there. */
  readonly cudaBuild: string | null;
  /** How to get one. */
  readonly howToBuild: string;
  readonly driver: DriverSigns;
}

export interface FlavourChoice {
  readonly flavour: Flavour;
  /** Why this one. */
  readonly why: string;
}

/** Why there is no GPU to be used, and what to do about it. */
interface Lack {
  readonly reason: string;
  readonly remedy: string;
}

export function lookAround(): FlavourFacts {
  const own = ownEngine();
  const places = cudaPlaces();
  return {
    named: process.env.VSSL_ENGINE,
    cudaPlaces: places,
    cudaBuild: places.find((path) => existsSync(path)) ?? null,
    howToBuild: own
      ? `'npx vssl-native build --methods ${dirname(dirname(own))} --cuda' builds it`
      : "'npx vssl-native setup --cuda' gets it, or builds it (with NVIDIA's nvcc and 6 GB of disk)",
    driver: lookForDriver(),
  };
}

/** What a GPU lacks here; null: nothing that can be seen without loading the engine. */
export function lackOfCuda({ named, cudaPlaces, cudaBuild, howToBuild, driver }: FlavourFacts): Lack | null {
  if (cudaBuild === null)
    return {
      reason: `there is no build of the engine for CUDA (looked for ${cudaPlaces.join(', ')})`,
      remedy: driver.fault === null ? howToBuild : `${howToBuild}; also, ${driver.fault}: ${driver.remedy}`,
    };
  if (driver.fault === null || named === 'cuda') return null; // who names the build is told by it
  return { reason: driver.fault, remedy: driver.remedy ?? "see 'npx vssl-native doctor'" };
}

/**
 * A device that needs CUDA decides; then VSSL_ENGINE, which names the build (that for CUDA computes on the CPU, too); then
 * a device that needs none; then what there is. Throws ERR_VSSL_CUDA_UNAVAILABLE and, for VSSL_ENGINE, ERR_VSSL_USAGE.
 */
export function chooseFlavour(device: DeviceChoice, facts: FlavourFacts): FlavourChoice {
  if (device.startsWith('cuda')) {
    requireCuda(device, facts);
    return { flavour: 'cuda', why: `device '${device}' was asked for` };
  }
  const { named } = facts;
  if (named === 'cpu' || named === 'cuda') return { flavour: named, why: `VSSL_ENGINE is '${named}'` };
  if (named !== undefined && named !== '' && named !== 'auto')
    throw new VsslError('ERR_VSSL_USAGE', `expected cpu, cuda or auto for VSSL_ENGINE but got '${named}'`);
  if (device === 'cpu') return { flavour: 'cpu', why: "device 'cpu' was asked for" };
  const lack = lackOfCuda(facts);
  return lack
    ? { flavour: 'cpu', why: lack.reason }
    : { flavour: 'cuda', why: 'there is a build for CUDA, and an NVIDIA driver' };
}

/** Throws ERR_VSSL_CUDA_UNAVAILABLE for a device that needs CUDA where it can be seen that there is none. */
export function requireCuda(device: DeviceChoice, facts: FlavourFacts = lookAround()): void {
  const lack = device.startsWith('cuda') ? lackOfCuda(facts) : null;
  if (lack) throw cudaUnavailable(device, lack);
}

export function cudaUnavailable(device: string, { reason, remedy }: Lack): VsslError {
  return new VsslError(
    'ERR_VSSL_CUDA_UNAVAILABLE',
    `device '${device}' was asked for, but ${reason}. What to do: ${remedy}; or use device cpu`,
    { details: { device, reason } },
  );
}
