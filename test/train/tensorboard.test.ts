import test from 'ava';
import { crc32c, encodeEvent, FILE_VERSION, parseEvents, type ScalarEvent } from '#src/train/tensorboard.js';

test('CRC-32C: the published check values', (t) => {
  t.is(crc32c(Buffer.from('123456789')), 0xe3069283);
  t.is(crc32c(new Uint8Array(32)), 0x8a9136aa); // RFC 3720, B.4
  t.is(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  t.is(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e);
});

test('the first record, byte for byte', (t) => {
  const record = encodeEvent({ wallTime: 1.5, step: 0, fileVersion: FILE_VERSION, scalars: {} });
  const hex = Buffer.from(record).toString('hex');
  // length 24 and its masked checksum, as every event file of TensorFlow begins
  t.is(hex.slice(0, 24), '1800000000000000a37f4b22');
  t.is(hex.slice(24, -8), `09000000000000f83f1a0d${Buffer.from('brain.Event:2').toString('hex')}`);
});

test('a scalar, byte for byte', (t) => {
  const record = Buffer.from(encodeEvent({ wallTime: 0, step: 300, scalars: { ab: 1 } }));
  const data = record.subarray(12, -4).toString('hex');
  //        wall time          step 300  summary(11){ value(9){ tag "ab", simple_value 1.0f } }
  t.is(data, '090000000000000000' + '10ac02' + '2a0b' + '0a09' + '0a026162' + '150000803f');
});

test('what is written is read back', (t) => {
  const events: ScalarEvent[] = [
    { wallTime: 1.7e9, step: 0, fileVersion: FILE_VERSION, scalars: {} },
    { wallTime: 1.7e9 + 0.25, step: 1, scalars: { 'train/loss': 2.5, 'train/lr': 0 } },
    { wallTime: 1.7e9 + 0.5, step: 2 ** 40, scalars: { [`${'x'.repeat(200)}ü`]: -1.5 } },
  ];
  const file = Buffer.concat(events.map(encodeEvent));
  const parsed = [...parseEvents(file)];
  t.deepEqual(
    parsed.map(({ end: _, ...event }) => event),
    events,
  );
  t.is(parsed.at(-1)!.end, file.length);
});

test('reading stops before a record that is cut off or damaged', (t) => {
  const records = [1, 2, 3].map((step) => encodeEvent({ wallTime: 1, step, scalars: { a: step } }));
  const file = Buffer.concat(records);
  const steps = (bytes: Uint8Array) => [...parseEvents(bytes)].map(({ step }) => step);
  t.deepEqual(steps(file.subarray(0, file.length - 1)), [1, 2]);
  const damaged = Buffer.from(file);
  damaged[records[0]!.length + 14]! ^= 1;
  t.deepEqual(steps(damaged), [1]);
  t.deepEqual(steps(Buffer.concat([file, Buffer.alloc(40, 0xff)])), [1, 2, 3]);
  t.deepEqual(steps(new Uint8Array(0)), []);
});
