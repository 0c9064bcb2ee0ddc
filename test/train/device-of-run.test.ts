// Where a run computes, and what it says of it before it reads a video.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { gpuPresetOf, loadConfig, resolveConfig, type TrainConfig } from '#src/methods/config.js';
import { listPresets } from '#src/methods/registry.js';
import type { EngineAddon } from '#src/native/bindings.js';
import { deviceOfRun } from '#src/train/device-of-run.js';
import type { TrainEvent } from '#src/train/events.js';
import { train } from '#src/train/train.js';

// A machine that runs the tests may have a GPU.
process.env.VSSL_ENGINE ||= 'cpu';

type EngineInfo = ReturnType<EngineAddon['info']>;

const engineWith = (gpus: string[]): Pick<EngineAddon, 'info'> => ({
  info: () =>
    ({
      cudaBuilt: true,
      cudaAvailable: gpus.length > 0,
      cudaReason: 'no driver',
      cudnnVersion: '9.24.0',
      cudaDevices: gpus,
    }) as EngineInfo,
});

/** The device of a run with this configuration, and what it warned of. */
function look(config: TrainConfig, gpus: string[], group = { size: 1, localRank: 0 }) {
  const warnings: string[] = [];
  const device = deviceOfRun(engineWith(gpus), resolveConfig(config), group, (message) =>
    warnings.push(message),
  );
  return { device, warnings };
}

test('a run takes the GPU of its rank', (t) => {
  const two = ['A', 'B'];
  t.is(look({ extends: 'cvrl' }, two).device, 'cuda');
  t.is(look({ extends: 'cvrl', train: { device: 'cuda:1' } }, two).device, 'cuda:1');
  t.is(look({ extends: 'cvrl', train: { device: 'cpu' } }, two).device, 'cpu');
  t.is(look({ extends: 'cvrl' }, two, { size: 4, localRank: 1 }).device, 'cuda:1');
  t.is(look({ extends: 'cvrl', train: { device: 'cuda' } }, two, { size: 2, localRank: 0 }).device, 'cuda:0');
  t.is(
    look({ extends: 'cvrl', train: { device: 'cuda:0' } }, two, { size: 2, localRank: 1 }).device,
    'cuda:0',
  );
});

test('settings that are made for a GPU are told where there is none', (t) => {
  const { device, warnings } = look({ extends: 'cvrl' }, []);
  t.is(device, 'cpu');
  t.is(warnings.length, 1);
  t.regex(
    warnings[0]!,
    /those of preset 'cvrl', which needs a GPU.*None can be used: no driver; see 'npx vssl-native doctor'/,
  );
  t.is(
    look({ extends: 'cvrl', train: { batch: 2, steps: 3 } }, []).warnings.length,
    1,
    'however few the clips',
  );
  for (const quiet of [
    { extends: 'cvrl-tiny' },
    { extends: 'cvrl', model: { arch: 'r3d_10', width: 0.25 } },
    { extends: 'cvrl', data: { clip: { size: 64 } } },
    { extends: 'cvrl', train: { device: 'cpu' } },
  ] as const)
    t.deepEqual(look(quiet, []).warnings, [], JSON.stringify(quiet));
  t.deepEqual(look({ extends: 'cvrl' }, ['A']).warnings, []);
});

test('every preset is for a GPU or for a processor, and is known by its settings', (t) => {
  for (const { name, needsGpu = false } of listPresets()) {
    t.is(needsGpu, !name.endsWith('-tiny'), name);
    t.is(gpuPresetOf(loadConfig({ preset: name }))?.name, needsGpu ? name : undefined, name);
  }
});

test('the warning comes before the first video is read', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vssl-device-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ['a.mp4', 'b.mp4']) writeFileSync(join(folder, name), 'no video');
  const events: TrainEvent[] = [];
  const going = train({ extends: 'cvrl' }, { data: folder, out: join(folder, 'run'), indexFirst: true });
  await t.throwsAsync(
    async () => {
      for await (const event of going) events.push(event);
    },
    { code: 'ERR_VSSL_NO_USABLE_VIDEO' },
  );
  t.is(events[0]?.type, 'warning');
  t.regex((events[0] as { message: string }).message, /preset 'cvrl', which needs a GPU/);
  t.true(events.some(({ type }) => type === 'index' || type === 'quarantine'));
});
