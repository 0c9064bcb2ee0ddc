// What the doctor says of the engine's two builds, on machines that are made up.
import test from 'ava';
import type { EngineAddon } from '#src/native/bindings.js';
import { checkCuda, findFlavour, hasUnusedCuda } from '#src/native/doctor-cuda.js';
import { checkEngine, type EngineResult } from '#src/native/doctor-engine.js';
import type { FlavourFacts } from '#src/native/flavour.js';

type EngineInfo = ReturnType<EngineAddon['info']>;

const BUILD = '/p/build/Release/cuda/vssl_engine.node';
const working = { version: '580.65.06', fault: null, remedy: null };
const missing = { version: null, fault: 'there is no NVIDIA driver', remedy: 'install it' };

function factsOf(more: Partial<FlavourFacts>): FlavourFacts {
  const places = {
    cudaPlaces: [BUILD],
    cudaBuild: BUILD,
    howToBuild: "'npx vssl-native setup --cuda' builds it",
  };
  return { named: undefined, ...places, driver: working, ...more };
}

const cuda = {
  ...{ torchVersion: '2.14.1', cudaVersion: '13.0', cudnnVersion: '9.24.0', cudaBuilt: true },
  ...{ cudaAvailable: true, cudaReason: '', cudaDevices: ['NVIDIA H200'] },
} as EngineInfo;
const cpu = { torchVersion: '2.13.0', cudaBuilt: false, cudaAvailable: false } as EngineInfo;
const loads: EngineResult = {
  probe: { attempts: [], info: { ...cuda, cudaAvailable: false, cudaDevices: [] } },
};

/** The three lines, by name. */
function say(more: Partial<FlavourFacts>, used: EngineInfo | undefined, unused: EngineResult | null = null) {
  const findings = findFlavour(factsOf(more));
  const checks = checkCuda(findings, used, unused);
  return {
    unused: hasUnusedCuda(findings),
    of: (name: string) => {
      const { status, found, remedy = '' } = checks.find((check) => check.name === name)!;
      return `${status}: ${found} -> ${remedy}`;
    },
  };
}

test('a GPU that works', (t) => {
  const { of, unused } = say({}, cuda);
  t.false(unused);
  t.is(of('engine build'), 'ok: that for CUDA: there is a build for CUDA, and an NVIDIA driver -> ');
  t.is(of('CUDA'), 'ok: libtorch 2.14.1, CUDA 13.0, cuDNN 9.24.0: cuda:0 NVIDIA H200 -> ');
  t.is(of('NVIDIA driver'), 'ok: 580.65.06 -> ');
  t.regex(
    say({}, { ...cuda, cudnnVersion: '9.10.2' }).of('CUDA'),
    /^note: .*9\.10\.2.* -> .*bf16 is refused/,
  );
});

test('no build for CUDA: where it was looked for, and how to get one', (t) => {
  const { of, unused } = say({ cudaBuild: null, driver: missing }, cpu);
  t.false(unused);
  t.regex(
    of('engine build'),
    /^ok: that for the CPU: there is no build of the engine for CUDA \(looked for \/p/,
  );
  t.regex(
    of('CUDA'),
    /^note: no build for it \(looked for \/p.*-> only for a GPU, which some presets need.*setup --cuda/,
  );
  t.is(of('NVIDIA driver'), 'note: there is no NVIDIA driver -> ');
});

test('a build for CUDA that no driver serves: it loads, and why it is not used', (t) => {
  const { of, unused } = say({ driver: missing }, cpu, loads);
  t.true(unused);
  t.is(of('engine build'), 'ok: that for the CPU: there is no NVIDIA driver -> ');
  t.regex(
    of('CUDA'),
    /^note: \/p\/.* loads \(libtorch 2\.14\.1, CUDA 13\.0, cuDNN 9\.24\.0\), and is not used: there is no NVIDIA driver -> install it/,
  );
  t.is(of('NVIDIA driver'), 'note: there is no NVIDIA driver -> ');
});

test('a build for CUDA that does not load', (t) => {
  const died = say({ driver: missing }, cpu, { death: 'the process that loaded it died of SIGSEGV' });
  t.regex(died.of('CUDA'), /^note: the build for it does not load: .*SIGSEGV -> .*build --cuda/);
  const failed = { path: BUILD, code: 'failed', message: 'libcudnn.so.9: cannot open' } as const;
  t.regex(
    say({ driver: missing }, cpu, { probe: { attempts: [failed] } }).of('CUDA'),
    /libcudnn\.so\.9: cannot open/,
  );
});

test('VSSL_ENGINE names another than would be taken', (t) => {
  const left = say({ named: 'cpu' }, cpu, loads);
  t.is(left.of('engine build'), "ok: that for the CPU: VSSL_ENGINE is 'cpu' -> ");
  t.regex(left.of('CUDA'), /is not used: VSSL_ENGINE is 'cpu' -> unset VSSL_ENGINE/);
  const forced = { ...cuda, cudaAvailable: false, cudaReason: 'there is no NVIDIA driver', cudaDevices: [] };
  t.regex(
    say({ named: 'cuda', driver: missing }, forced).of('CUDA'),
    /^note: .*, but there is no NVIDIA driver -> install it/,
  );
  t.regex(
    say({ named: 'gpu' }, undefined).of('engine build'),
    /^fault: expected cpu, cuda or auto.* -> unset VSSL_ENGINE/,
  );
  t.regex(say({ named: 'cuda' }, undefined).of('CUDA'), /see 'engine addon'/);
});

test('the self-test of bf16 runs on the processor, and on the GPU where there is one', (t) => {
  const attempts = [{ path: BUILD, code: 'loaded', message: 'loaded' }] as const;
  const status = (name: string, more: object) =>
    checkEngine({ probe: { attempts, info: cuda, ...more } }).find((check) => check.name === name)?.status;
  const both = { selfTest: '', gpuSelfTest: 'bf16 conv3d of (2, 16, 4, 8, 8): relative error 0.3' };
  t.is(status('engine self-test', both), 'ok');
  t.is(status('GPU self-test', both), 'fault');
  t.is(status('GPU self-test', { selfTest: '', gpuSelfTest: '' }), 'ok');
  t.is(status('GPU self-test', { selfTest: '' }), undefined);
  t.is(status('engine self-test', {}), undefined);
});
