/** What there is of NVIDIA's driver, found out without loading any of it. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface DriverSigns {
  /** Of the kernel's module, such as 580.65.06; null where it does not say. */
  readonly version: string | null;
  /** Why no GPU can be used; null: nothing speaks against it. */
  readonly fault: string | null;
  /** What to do about it. */
  readonly remedy: string | null;
}

/** The oldest driver with which each version of CUDA runs. */
const OLDEST_DRIVER: Readonly<Record<number, number>> = { 12: 525, 13: 580 };
/** The CUDA that setup's libtorch is for. */
const CUDA_MAJOR = 13;

/** What a program opens to reach the driver: on Linux, and under Windows' subsystem for Linux. */
const DEVICES = ['dev/nvidiactl', 'dev/dxg'];
const LIBRARY = 'libcuda.so.1';
const LIBRARY_FOLDERS = [
  'lib',
  'usr/lib',
  'lib64',
  'usr/lib64',
  'lib/x86_64-linux-gnu',
  'usr/lib/x86_64-linux-gnu',
];

const INSTALL = `install NVIDIA's driver, ${OLDEST_DRIVER[CUDA_MAJOR]} or newer`;
const CONTAINER = 'in a container, start it with the GPUs of the machine (docker run --gpus all)';

/** Looks at the files of a system below `root`; no program is started and no library is opened. */
export function lookForDriver({
  root = '/',
  env = process.env,
}: {
  readonly root?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
} = {}): DriverSigns {
  const version = driverVersion(root);
  const none = (fault: string, remedy: string) => ({ version, fault, remedy });
  const visible = env.CUDA_VISIBLE_DEVICES;
  if (visible !== undefined && /^\s*(-1.*)?$/.test(visible))
    return none(`CUDA_VISIBLE_DEVICES ('${visible}') hides every GPU`, 'unset it, or name GPUs in it (0,1)');
  if (!DEVICES.some((device) => existsSync(join(root, device))))
    return none(
      `there is no NVIDIA driver (looked for ${DEVICES.map((device) => `/${device}`).join(' and ')})`,
      `${INSTALL}; ${CONTAINER}`,
    );
  if (!hasLibrary(root, env))
    return none(
      `the driver's library ${LIBRARY} was not found (LD_LIBRARY_PATH, ld.so.cache, /usr/lib)`,
      `${INSTALL}; ${CONTAINER}`,
    );
  const oldest = OLDEST_DRIVER[CUDA_MAJOR]!;
  if (version !== null && Number.parseInt(version, 10) < oldest)
    return none(
      `the NVIDIA driver ${version} is too old for CUDA ${CUDA_MAJOR}, which needs ${oldest}`,
      INSTALL,
    );
  return { version, fault: null, remedy: null };
}

function driverVersion(root: string): string | null {
  const text = readText(join(root, 'proc/driver/nvidia/version'));
  return /Kernel Module(?: for \S+)?\s+(\S+)/.exec(text)?.[1] ?? null;
}

/** Where the system's loader would find it. */
function hasLibrary(root: string, env: Readonly<Record<string, string | undefined>>): boolean {
  const named = (env.LD_LIBRARY_PATH ?? '').split(':').filter(Boolean);
  const folders = [...named, ...LIBRARY_FOLDERS.map((folder) => join(root, folder))];
  if (folders.some((folder) => existsSync(join(folder, LIBRARY)))) return true;
  // The loader's cache lists the libraries of all other folders by their paths.
  return readText(join(root, 'etc/ld.so.cache')).includes(`/${LIBRARY}\0`);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
