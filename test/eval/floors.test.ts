import test from 'ava';
import { floorDims, floorFeatures } from '#src/eval/floors.js';

const T = 4;
const S = 32;

/** A clip (T, S, S, 3) from a function of time and place. */
function clip(value: (t: number, y: number, x: number) => number): Float32Array {
  const out = new Float32Array(T * S * S * 3);
  for (let t = 0; t < T; t++)
    for (let y = 0; y < S; y++)
      for (let x = 0; x < S; x++)
        out.fill(value(t, y, x), ((t * S + y) * S + x) * 3, ((t * S + y) * S + x) * 3 + 3);
  return out;
}

const close = (a: Float32Array, b: Float32Array) =>
  a.length === b.length && a.every((v, i) => Math.abs(v - b[i]!) < 1e-6);
const zero = (a: Float32Array) => a.every((v) => Math.abs(v) < 1e-6);

test('a still picture has appearance and no motion', (t) => {
  const still = floorFeatures(
    clip((_, y, x) => (x + y) / 64),
    T,
    S,
    S,
  );
  const dims = floorDims(T);
  t.is(still.appearance.length, dims.appearance);
  t.is(still['motion energy'].length, dims['motion energy']);
  t.is(still['motion pixels'].length, dims['motion pixels']);
  t.false(zero(still.appearance));
  t.true(zero(still['motion energy']));
  t.true(zero(still['motion pixels']));
});

test('a constant brightness changes nothing', (t) => {
  const moving = (t: number, y: number, x: number) => (Math.floor(x / 8) === t && y < 16 ? 0.5 : 0.1);
  const a = floorFeatures(clip(moving), T, S, S);
  const b = floorFeatures(
    clip((...at) => moving(...at) + 0.3),
    T,
    S,
    S,
  );
  for (const name of ['appearance', 'motion energy', 'motion pixels'] as const) {
    t.false(zero(a[name]), name);
    t.true(close(a[name], b[name]), name);
  }
});

test('energy lies where something moves; pixels tell the direction of time, energy does not', (t) => {
  const forth = (t: number, y: number, x: number) => (Math.floor(x / 8) === t && y < 16 ? 1 : 0);
  const a = floorFeatures(clip(forth), T, S, S);
  const b = floorFeatures(
    clip((time, y, x) => forth(T - 1 - time, y, x)),
    T,
    S,
    S,
  );
  t.true(close(a['motion energy'], b['motion energy']));
  t.false(close(a['motion pixels'], b['motion pixels']));
  const energy = a['motion energy'];
  const top = energy.subarray(0, 128);
  const bottom = energy.subarray(128);
  t.true(Math.min(...top) > Math.max(...bottom));
});

test('clips smaller than the grid and of one picture are taken', (t) => {
  const tiny = floorFeatures(new Float32Array(1 * 3 * 5 * 3).fill(0.5), 1, 3, 5);
  t.true(tiny['motion energy'].every((v) => Number.isFinite(v)));
});
