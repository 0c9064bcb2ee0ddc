// Which build of the engine a process takes, on machines that are made up of a few files, and what is said where one lacks.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'ava';
import { checkDevice, type DeviceChoice } from '#src/checks.js';
import type { VsslError } from '#src/errors.js';
import type { EngineAddon } from '#src/native/bindings.js';
import { checkPrecision, chooseDevice, isOldCudnn, whyNoGpu } from '#src/native/device.js';
import { type DriverSigns, lookForDriver } from '#src/native/driver.js';
import { chooseFlavour, type FlavourFacts, lackOfCuda, requireCuda } from '#src/native/flavour.js';

const folder = mkdtempSync(join(tmpdir(), 'vssl-flavour-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));
let systems = 0;

/** The root of a system that has these files. */
function systemWith(files: Readonly<Record<string, string>>): string {
  const root = join(folder, `system${systems++}`);
  mkdirSync(root);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text, 'latin1');
  }
  return root;
}

const VERSION = 'proc/driver/nvidia/version';
const versionText = (version: string) =>
  `NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  ${version}  Release Build\nGCC version: gcc 12\n`;
const WHOLE = {
  [VERSION]: versionText('580.65.06'),
  'dev/nvidiactl': '',
  'usr/lib/x86_64-linux-gnu/libcuda.so.1': '',
};

test('a driver is its device and its library, where the loader looks', (t) => {
  const look = (files: Readonly<Record<string, string>>, env = {}) =>
    lookForDriver({ root: systemWith(files), env });
  const { [VERSION]: _, ...unversioned } = WHOLE;
  t.deepEqual(look(WHOLE), { version: '580.65.06', fault: null, remedy: null });
  t.deepEqual(look(unversioned), { version: null, fault: null, remedy: null });
  t.is(look({ 'dev/dxg': '', 'usr/lib64/libcuda.so.1': '' }).fault, null, 'under Windows');
  const cache = 'ld.so-1.7.0\0...\0libcuda.so.1\0/usr/lib/wsl/lib/libcuda.so.1\0libc.so.6\0';
  t.is(
    look({ 'dev/nvidiactl': '', 'etc/ld.so.cache': cache }).fault,
    null,
    'as the cache of the loader says',
  );
  const elsewhere = systemWith({ 'libcuda.so.1': '' });
  t.is(look({ 'dev/nvidiactl': '' }, { LD_LIBRARY_PATH: `/none:${elsewhere}` }).fault, null);
});

test('what a driver lacks is said, and what to do about it', (t) => {
  const look = (files: Readonly<Record<string, string>>, env = {}) =>
    lookForDriver({ root: systemWith(files), env });
  const cases: [DriverSigns, RegExp, RegExp][] = [
    [look({}), /no NVIDIA driver \(looked for \/dev\/nvidiactl and \/dev\/dxg\)/, /580 or newer.*--gpus all/],
    [look({ 'dev/nvidiactl': '' }), /library libcuda\.so\.1 was not found/, /--gpus all/],
    [
      look({ ...WHOLE, [VERSION]: versionText('550.54.14') }),
      /550\.54\.14 is too old for CUDA 13, which needs 580/,
      /580/,
    ],
    [look(WHOLE, { CUDA_VISIBLE_DEVICES: '' }), /CUDA_VISIBLE_DEVICES \(''\) hides/, /unset it/],
    [look(WHOLE, { CUDA_VISIBLE_DEVICES: '-1' }), /CUDA_VISIBLE_DEVICES/, /unset it/],
  ];
  for (const [{ fault, remedy }, found, todo] of cases) {
    t.regex(fault!, found);
    t.regex(remedy!, todo);
  }
  t.is(look(WHOLE, { CUDA_VISIBLE_DEVICES: '0,1' }).fault, null);
});

const working: DriverSigns = { version: '580.65.06', fault: null, remedy: null };
const missing = { version: null, fault: 'there is no NVIDIA driver', remedy: 'install it' };

function factsOf(more: Partial<FlavourFacts> = {}): FlavourFacts {
  return {
    named: undefined,
    cudaPlaces: ['/p/build/Release/cuda/vssl_engine.node'],
    cudaBuild: '/p/build/Release/cuda/vssl_engine.node',
    howToBuild: "'npx vssl-native setup --cuda' builds it",
    driver: working,
    ...more,
  };
}

const noBuild = { cudaBuild: null };
const noDriver = { driver: missing };

test('by itself: CUDA where there are a build for it and a driver', (t) => {
  const flavour = (more: Partial<FlavourFacts>, device: DeviceChoice = 'auto') =>
    chooseFlavour(device, factsOf(more)).flavour;
  t.is(flavour({}), 'cuda');
  t.is(flavour(noBuild), 'cpu');
  t.is(flavour(noDriver), 'cpu');
  t.is(flavour({ ...noBuild, ...noDriver }), 'cpu');
  t.is(flavour({}, 'cpu'), 'cpu');
  t.is(flavour({}, 'cuda'), 'cuda');
  t.is(flavour({}, 'cuda:3'), 'cuda');
  t.regex(chooseFlavour('auto', factsOf(noBuild)).why, /no build of the engine for CUDA \(looked for \/p/);
  t.is(chooseFlavour('auto', factsOf(noDriver)).why, missing.fault);
});

test('VSSL_ENGINE names the build; a device that needs another says more', (t) => {
  const flavour = (named: string, device: DeviceChoice, more: Partial<FlavourFacts> = {}) =>
    chooseFlavour(device, factsOf({ named, ...more })).flavour;
  t.is(flavour('cpu', 'auto'), 'cpu');
  t.is(flavour('cuda', 'auto', noDriver), 'cuda');
  t.is(flavour('cuda', 'cpu', noDriver), 'cuda', 'the build for CUDA computes on the CPU, too');
  t.is(flavour('cpu', 'cuda'), 'cuda');
  t.is(flavour('cuda', 'cuda', noDriver), 'cuda', 'the build itself says what it lacks');
  t.is(flavour('', 'auto'), 'cuda');
  t.is(flavour('auto', 'auto', noBuild), 'cpu');
  const error = t.throws(() => flavour('gpu', 'auto'), { code: 'ERR_VSSL_USAGE' });
  t.regex(error!.message, /expected cpu, cuda or auto for VSSL_ENGINE but got 'gpu'/);
});

test('a device that is not there: what was looked for, what was found, what to do', (t) => {
  const message = (more: Partial<FlavourFacts>, device: DeviceChoice = 'cuda') => {
    const error = t.throws(() => requireCuda(device, factsOf(more)), { code: 'ERR_VSSL_CUDA_UNAVAILABLE' });
    return error!.message;
  };
  t.regex(
    message(noBuild),
    /device 'cuda' was asked for, but there is no build .*looked for \/p\/build.*setup --cuda/,
  );
  t.regex(
    message(noDriver, 'cuda:1'),
    /device 'cuda:1' was asked for, but there is no NVIDIA driver.*install it/,
  );
  t.regex(message({ ...noBuild, ...noDriver }), /setup --cuda.*also, there is no NVIDIA driver: install it/);
  for (const more of [noBuild, noDriver]) t.regex(message(more), /or use device cpu$/);
  for (const device of ['auto', 'cpu'] as const)
    t.notThrows(() => requireCuda(device, factsOf({ ...noBuild, ...noDriver })));
  t.notThrows(() => requireCuda('cuda', factsOf()));
  t.is(lackOfCuda(factsOf()), null);
});

type EngineInfo = ReturnType<EngineAddon['info']>;

function engineWith(more: Partial<EngineInfo>): Pick<EngineAddon, 'info'> {
  const info = {
    cudaBuilt: true,
    cudaAvailable: true,
    cudaReason: '',
    cudnnVersion: '9.24.0',
    cudaDevices: ['A', 'B'],
  };
  return { info: () => ({ torchVersion: '2.14.1', ...info, ...more }) as EngineInfo };
}

test('a loaded engine: auto is its GPU, that of the rank, or the CPU', (t) => {
  const engine = engineWith({});
  t.is(chooseDevice(engine, 'cpu'), 'cpu');
  t.is(chooseDevice(engine, 'auto'), 'cuda');
  t.is(chooseDevice(engine, 'cuda'), 'cuda');
  t.is(chooseDevice(engine, 'cuda:1'), 'cuda:1');
  t.is(chooseDevice(engine, 'auto', 1), 'cuda:1');
  t.is(chooseDevice(engine, 'cuda', 0), 'cuda:0');
  t.is(chooseDevice(engine, 'cuda:0', 1), 'cuda:0', 'one GPU for all ranks');
  const none = engineWith({ cudaAvailable: false, cudaReason: 'the driver shows no GPU', cudaDevices: [] });
  t.is(chooseDevice(none, 'auto'), 'cpu');
  t.is(whyNoGpu(none.info()), 'the driver shows no GPU');
});

test('a loaded engine that lacks the device says so', (t) => {
  const message = (more: Partial<EngineInfo>, device: DeviceChoice, rank: number | null = null) => {
    const error = t.throws(() => chooseDevice(engineWith(more), device, rank), {
      code: 'ERR_VSSL_CUDA_UNAVAILABLE',
    });
    return (error as VsslError).message;
  };
  t.regex(message({}, 'cuda:2'), /there are 2 GPUs, cuda:0 to cuda:1.*name one of them/);
  t.regex(message({ cudaDevices: ['A'] }, 'auto', 1), /'cuda:1' .*there is one GPU, cuda:0.*as many ranks/);
  t.regex(
    message({ cudaAvailable: false, cudaReason: 'the driver shows no GPU' }, 'cuda'),
    /but the driver shows no GPU/,
  );
  t.regex(
    message({ cudaAvailable: false, cudaBuilt: false }, 'cuda'),
    /no build of the engine for CUDA|no NVIDIA driver|has the engine for the CPU already|hides every GPU/,
  );
});

test('bf16 is refused where cuDNN computes it wrongly', (t) => {
  for (const [version, old] of [
    ...([
      ['9.10.2', true],
      ['9.14.0', true],
      ['8.9.7', true],
    ] as const),
    ...([
      ['9.15.0', false],
      ['9.24.0', false],
      ['10.0.0', false],
      ['', false],
    ] as const),
  ])
    t.is(isOldCudnn(version), old, version);
  const old = engineWith({ cudnnVersion: '9.10.2' });
  const error = t.throws(() => checkPrecision(old, 'cuda:0', 'bf16'), { code: 'ERR_VSSL_CUDA_UNAVAILABLE' });
  t.regex(error!.message, /needs cuDNN 9\.15 or newer: 9\.10\.2.*use precision fp32/);
  t.notThrows(() => checkPrecision(old, 'cuda:0', 'fp32'));
  t.notThrows(() => checkPrecision(old, 'cpu', 'bf16'));
  t.notThrows(() => checkPrecision(engineWith({}), 'cuda', 'bf16'));
});

test('devices are named in four ways', (t) => {
  for (const device of ['auto', 'cpu', 'cuda', 'cuda:0', 'cuda:12'] as const)
    t.is(checkDevice('device', device), device);
  for (const wrong of ['gpu', 'CUDA', 'cuda:', 'cuda:-1', 'cuda:01', 'cuda:1.5', 'cuda:1000', '', 3, null])
    t.throws(() => checkDevice('device', wrong), {
      code: 'ERR_VSSL_INVALID_ARGUMENT',
      message: /expected 'auto', 'cpu', 'cuda' or 'cuda:N' for device/,
    });
});
