/** What the doctor says of the engine's two builds: which one is used, why not the other, and what a GPU lacks. */
import { messageOf } from '../errors.js';
import type { EngineAddon } from './bindings.js';
import { isOldCudnn } from './device.js';
import { type DoctorCheck, judge } from './doctor-check.js';
import type { EngineResult } from './doctor-engine.js';
import { chooseFlavour, type FlavourFacts, lookAround } from './flavour.js';

type EngineInfo = ReturnType<EngineAddon['info']>;

/** What a process of this machine takes that names no device. */
export interface FlavourFindings {
  readonly facts: FlavourFacts;
  readonly flavour: 'cpu' | 'cuda' | null;
  /** Why; where `flavour` is null, what is wrong with VSSL_ENGINE. */
  readonly why: string;
}

export function findFlavour(facts: FlavourFacts = lookAround()): FlavourFindings {
  try {
    return { facts, ...chooseFlavour('auto', facts) };
  } catch (error) {
    return { facts, flavour: null, why: messageOf(error) };
  }
}

/** Whether there is a build for CUDA that is not the one that is used. */
export function hasUnusedCuda({ facts, flavour }: FlavourFindings): boolean {
  return facts.cudaBuild !== null && flavour !== 'cuda';
}

/** `used`: what the engine says that was loaded. `unused`: how a build for CUDA loads that is not used. */
export function checkCuda(
  findings: FlavourFindings,
  used: EngineInfo | undefined,
  unused: EngineResult | null,
): DoctorCheck[] {
  return [checkFlavour(findings), checkBuild(findings, used, unused), checkDriver(findings.facts)];
}

function checkFlavour({ flavour, why, facts }: FlavourFindings): DoctorCheck {
  const name = 'engine build';
  if (flavour === null) return judge(name, false, why, 'fault', 'unset VSSL_ENGINE');
  const found = `${flavour === 'cuda' ? 'that for CUDA' : 'that for the CPU'}: ${why}`;
  return judge(name, true, found, 'fault', undefined, { flavour, cudaBuild: facts.cudaBuild });
}

function checkBuild(
  { facts, flavour, why }: FlavourFindings,
  used: EngineInfo | undefined,
  unused: EngineResult | null,
): DoctorCheck {
  const name = 'CUDA';
  if (used?.cudaAvailable) {
    const good = !isOldCudnn(used.cudnnVersion);
    const found = `${librariesOf(used)}: ${used.cudaDevices.map((gpu, i) => `cuda:${i} ${gpu}`).join(', ')}`;
    const old =
      'this cuDNN computes bf16 convolutions wrongly: bf16 is refused on the GPU; 9.15 or newer does it';
    return judge(name, good, found, 'note', old, { built: true, available: true, devices: used.cudaDevices });
  }
  const details = { built: facts.cudaBuild !== null, available: false };
  const note = (found: string, remedy?: string) => judge(name, false, found, 'note', remedy, details);
  if (used?.cudaBuilt)
    return note(`${librariesOf(used)}, but ${used.cudaReason}`, facts.driver.remedy ?? undefined);
  if (facts.cudaBuild === null) {
    const only = "only for a GPU, which some presets need ('npx vssl-native presets' names them)";
    return note(
      `no build for it (looked for ${facts.cudaPlaces.join(', ')})`,
      `${only}: ${facts.howToBuild}`,
    );
  }
  if (flavour === 'cuda')
    return note(used ? 'the engine that was loaded is not for it' : "see 'engine addon'");
  if (unused?.probe?.info) {
    const remedy = facts.driver.fault === null ? 'unset VSSL_ENGINE' : (facts.driver.remedy ?? undefined);
    return note(
      `${facts.cudaBuild} loads (${librariesOf(unused.probe.info)}), and is not used: ${why}`,
      remedy,
    );
  }
  const tried = unused?.probe?.attempts.map(({ path, message }) => `${path}: ${message}`).join('; ');
  return note(
    `the build for it does not load: ${unused?.death ?? tried ?? 'no answer'}`,
    "build it again: 'npx vssl-native build --cuda'",
  );
}

function librariesOf({ torchVersion, cudaVersion, cudnnVersion }: EngineInfo): string {
  return `libtorch ${torchVersion}, CUDA ${cudaVersion}, cuDNN ${cudnnVersion || 'unknown'}`;
}

/** What to do about it stands with 'CUDA'. */
function checkDriver({ driver }: FlavourFacts): DoctorCheck {
  const { version, fault } = driver;
  const found = fault ?? version ?? 'there; it does not say its version';
  const details = version === null ? undefined : { version };
  return judge('NVIDIA driver', fault === null, found, 'note', undefined, details);
}
