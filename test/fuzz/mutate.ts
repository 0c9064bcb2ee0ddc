/** A seeded mutator of files: the same seed gives the same files on every machine. */

/** Numbers from a 32-bit seed (mulberry32). */
export function makeRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) % below;
  };
}

/** Longest file that mutation makes. */
const MOST_BYTES = 1 << 16;

/** What is read with care in one format or another. */
const TOKENS = [
  ...[
    '"',
    "'",
    ',',
    ';',
    '\t',
    '\n',
    '\r\n',
    '\r',
    '\\',
    '/',
    '#',
    '?',
    '%',
    '=',
    '&',
    ':',
    '-',
    '|',
    '>',
    '{',
    '}',
  ],
  ...[
    '[',
    ']',
    '{}',
    '[]',
    '""',
    'null',
    'true',
    'NaN',
    '-1',
    '0',
    '1e999',
    '-1e-400',
    '9007199254740993',
    '1e9',
  ],
  ...[
    '0x10',
    '1_000',
    '4294967296',
    '.5',
    '~',
    '<<: *a',
    '&a ',
    '*a',
    '!!binary ',
    '!!js/function ',
    '? ',
    '---\n',
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    'path',
    'label',
    'start',
    'end',
    '\uFEFF',
    '\u0000',
    '\\u0000',
    '\\ud800',
  ],
  ...['é', '\u{1F3AC}', '../', '//', 'C:\\', '%2', '%00', '\u2028', ' ', '                '],
].map((token) => Buffer.from(token));

/** Numbers that sizes and offsets go wrong at. */
const EDGES = [
  0n,
  1n,
  7n,
  8n,
  0x7fn,
  0xffn,
  0xffffn,
  0x7fffffffn,
  0xffffffffn,
  1n << 53n,
  (1n << 63n) - 1n,
  (1n << 64n) - 1n,
];

const NUMBERS = [
  '-1',
  '0',
  '1',
  '0.5',
  '255',
  '1e-9',
  '1e9',
  '4294967296',
  '9007199254740993',
  '1e999',
  'null',
  '"1"',
];

/** One to six changes of `seed`; now and then a part of `other`. */
export function mutate(seed: Buffer, other: Buffer, random: (below: number) => number): Buffer {
  let bytes = Buffer.from(seed);
  for (let changes = 1 + random(6); changes > 0; changes--) {
    const at = random(bytes.length + 1);
    const splice = (remove: number, put: Uint8Array) => {
      bytes = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + remove)]).subarray(
        0,
        MOST_BYTES,
      );
    };
    switch (random(10)) {
      case 0:
        if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << random(8));
        break;
      case 1:
        if (at < bytes.length) bytes[at] = random(256);
        break;
      case 2:
        if (at + 8 <= bytes.length) bytes.writeBigUInt64LE(EDGES[random(EDGES.length)] as bigint, at);
        break;
      case 3:
        splice(random(40), Buffer.alloc(0));
        break;
      case 4:
        bytes = bytes.subarray(0, at);
        break;
      case 5: {
        const from = random(bytes.length + 1);
        splice(0, Buffer.from(bytes.subarray(from, from + random(60))));
        break;
      }
      case 6: {
        const from = random(other.length + 1);
        splice(random(20), other.subarray(from, from + random(200)));
        break;
      }
      case 7: {
        const token = TOKENS[random(TOKENS.length)] as Buffer;
        // Deep nesting and long runs are a kind of their own.
        splice(0, random(8) === 0 ? Buffer.concat(Array(1 + random(4000)).fill(token)) : token);
        break;
      }
      case 8: {
        // A number in text becomes another one.
        const digit = bytes.findIndex((byte, i) => i >= at && byte >= 48 && byte <= 57);
        if (digit < 0) break;
        let end = digit;
        while (end < bytes.length && (bytes[end] as number) >= 48 && (bytes[end] as number) <= 57) end++;
        const number = NUMBERS[random(NUMBERS.length)] as string;
        bytes = Buffer.concat([bytes.subarray(0, digit), Buffer.from(number), bytes.subarray(end)]);
        break;
      }
      default:
        splice(random(6), TOKENS[random(TOKENS.length)] as Buffer);
    }
  }
  return bytes;
}
