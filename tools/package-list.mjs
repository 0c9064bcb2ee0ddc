// The packages that are published beside vssl-native, each with one prebuilt addon for one platform.

/** By the tag that src/native/platform.ts gives; what npm looks at before it installs one. */
const platforms = {
  'linux-x64': { os: ['linux'], cpu: ['x64'], libc: ['glibc'] },
  'linux-arm64': { os: ['linux'], cpu: ['arm64'], libc: ['glibc'] },
  'linuxmusl-x64': { os: ['linux'], cpu: ['x64'], libc: ['musl'] },
  'linuxmusl-arm64': { os: ['linux'], cpu: ['arm64'], libc: ['musl'] },
  'darwin-x64': { os: ['darwin'], cpu: ['x64'] },
  'darwin-arm64': { os: ['darwin'], cpu: ['arm64'] },
  'win32-x64': { os: ['win32'], cpu: ['x64'] },
};

const entry = (kind, addon, tag, what) => ({
  kind,
  addon,
  tag,
  folder: `${kind === 'kernels' ? '' : `${kind}-`}${tag}`,
  what,
  ...platforms[tag],
});

/** { kind, addon, tag, folder, what, os, cpu, libc }: `folder` is the name below @vssl-native. */
export const packages = [
  ...Object.keys(platforms).map((tag) => entry('kernels', 'kernels', tag, 'the kernels')),
  // Those of libtorch's platforms on which the engine is tested.
  ...['linux-x64', 'linux-arm64', 'darwin-arm64'].map((tag) => entry('engine', 'engine', tag, 'the engine')),
  entry('engine-cuda', 'engine', 'linux-x64', 'the engine for CUDA'),
];

export const nameOf = ({ folder }) => `@vssl-native/${folder}`;

/** The package of a kind for this machine; undefined where none is made. `tag`: of src/native/platform.ts. */
export const packageFor = (kind, tag) => packages.find((one) => one.kind === kind && one.tag === tag);
