/**
 * Python's pickles, read as data. A pickle is a program for a stack machine that may call any function; here nothing is ever
 * called: a named thing is its name, and what would be made by a call is a record of the call. Source: pickletools.py.
 */

import { types } from 'node:util';

/** A class or function by its name, `module.name`. */
export class PickleName {
  constructor(readonly name: string) {}
}

/** What a call of a named thing would have made, with the state that it would have been given. */
export class PickleCall {
  state: PickleValue = null;
  constructor(
    readonly of: string,
    readonly args: readonly PickleValue[],
  ) {}
}

/** Lists, tuples and sets are arrays, dictionaries (ordered ones too) maps. */
export type PickleValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | PickleName
  | PickleCall;

/** Throws Error, in words, for what is no pickle, is cut off, or has what no file of weights has. */
export function readPickle(
  bytes: Uint8Array,
  from: number,
  persistent: (id: PickleValue) => PickleValue,
): { readonly value: PickleValue; readonly end: number } {
  const machine = new Machine(bytes, from, persistent);
  return { value: machine.run(), end: machine.at };
}

const MARK = Symbol('mark');
const STOP = 0x2e;

class Machine {
  at: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #persistent: (id: PickleValue) => PickleValue;
  readonly #stack: (PickleValue | typeof MARK)[] = [];
  readonly #memo = new Map<number, PickleValue>();

  constructor(bytes: Uint8Array, from: number, persistent: (id: PickleValue) => PickleValue) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#persistent = persistent;
    this.at = from;
  }

  run(): PickleValue {
    for (;;) {
      const op = this.#byte();
      if (op === STOP) return this.#pop();
      const step = STEPS[op];
      if (!step) throw new Error(`it has the unknown instruction ${op} at byte ${this.at - 1}`);
      step(this);
    }
  }

  /** Little endian. */
  unsigned(bytes: 1 | 2 | 4 | 8): number {
    const at = this.#skip(bytes);
    if (bytes === 1) return this.#view.getUint8(at);
    if (bytes === 2) return this.#view.getUint16(at, true);
    if (bytes === 4) return this.#view.getUint32(at, true);
    return Number(this.#view.getBigUint64(at, true));
  }

  signed(): number {
    return this.#view.getInt32(this.#skip(4), true);
  }

  /** Two's complement, as the nearest number. */
  long(bytes: number): number {
    if (bytes > 32) throw new Error(`it has a whole number of ${bytes} bytes`);
    const hex = Buffer.from(this.take(bytes)).reverse().toString('hex');
    return Number(BigInt.asIntN(8 * bytes, BigInt(`0x0${hex}`)));
  }

  double(): number {
    return this.#view.getFloat64(this.#skip(8), false);
  }

  take(bytes: number): Uint8Array {
    const at = this.#skip(bytes);
    return this.#bytes.subarray(at, at + bytes);
  }

  text(bytes: number): string {
    return Buffer.from(this.take(bytes)).toString('utf8');
  }

  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.at);
    if (end < 0) throw new Error('it is cut off');
    const text = this.text(end - this.at);
    this.at = end + 1;
    return text;
  }

  push(value: PickleValue): void {
    this.#stack.push(value);
  }

  mark(): void {
    this.#stack.push(MARK);
  }

  pop(): PickleValue {
    return this.#pop();
  }

  top(): PickleValue {
    const value = this.#pop();
    this.push(value);
    return value;
  }

  /** Everything above the last mark, and that is gone. */
  popToMark(): PickleValue[] {
    const mark = this.#stack.lastIndexOf(MARK);
    if (mark < 0) throw new Error('its stack has no mark');
    const values = this.#stack.splice(mark) as PickleValue[];
    return values.slice(1);
  }

  remember(slot = this.#memo.size): void {
    this.#memo.set(slot, this.top());
  }

  recall(slot: number): void {
    const value = this.#memo.get(slot);
    if (value === undefined) throw new Error(`it asks for what was not there before, at byte ${this.at}`);
    this.push(value);
  }

  resolve(): void {
    this.push(this.#persistent(this.#pop()));
  }

  #pop(): PickleValue {
    const value = this.#stack.pop();
    if (value === undefined || value === MARK) throw new Error('its stack is empty');
    return value as PickleValue;
  }

  #byte(): number {
    return this.#view.getUint8(this.#skip(1));
  }

  #skip(bytes: number): number {
    const at = this.at;
    if (!(bytes <= this.#bytes.byteLength - at)) throw new Error('it is cut off');
    this.at = at + bytes;
    return at;
  }
}

function append(machine: Machine, values: readonly PickleValue[]): void {
  const list = machine.top();
  // a list of a class of its own is a record, and stays as it is
  if (Array.isArray(list)) for (const value of values) list.push(value);
}

function setItems(machine: Machine, values: readonly PickleValue[]): void {
  const map = machine.top();
  if (types.isMap(map))
    for (let i = 0; i + 1 < values.length; i += 2)
      map.set(values[i] as PickleValue, values[i + 1] as PickleValue);
}

function call(machine: Machine): void {
  const args = machine.pop();
  const of = machine.pop();
  if (!(of instanceof PickleName) || !Array.isArray(args)) throw new Error('it calls what is no name');
  const isDict = of.name === 'collections.OrderedDict' && args.length === 0;
  machine.push(isDict ? new Map() : new PickleCall(of.name, args));
}

function build(machine: Machine): void {
  const state = machine.pop();
  const object = machine.top();
  if (object instanceof PickleCall) object.state = state;
}

/** The last `count` values as one, in their order. */
function tuple(machine: Machine, count: number): void {
  const values = Array.from({ length: count }, () => machine.pop());
  machine.push(values.reverse());
}

/** What each instruction does: those that torch.save writes (protocol 2), and those of protocols 3 and 4 beside them. */
const STEPS: Readonly<Record<number, (machine: Machine) => void>> = {
  128: (m) => void m.unsigned(1), // PROTO
  149: (m) => void m.unsigned(8), // FRAME
  40: (m) => m.mark(),
  48: (m) => void m.pop(),
  49: (m) => void m.popToMark(),
  50: (m) => m.push(m.top()), // DUP
  78: (m) => m.push(null),
  136: (m) => m.push(true),
  137: (m) => m.push(false),
  75: (m) => m.push(m.unsigned(1)), // BININT1
  77: (m) => m.push(m.unsigned(2)),
  74: (m) => m.push(m.signed()),
  138: (m) => m.push(m.long(m.unsigned(1))),
  139: (m) => m.push(m.long(m.unsigned(4))),
  71: (m) => m.push(m.double()),
  88: (m) => m.push(m.text(m.unsigned(4))), // BINUNICODE
  140: (m) => m.push(m.text(m.unsigned(1))),
  141: (m) => m.push(m.text(m.unsigned(8))),
  84: (m) => m.push(m.text(m.unsigned(4))), // BINSTRING
  85: (m) => m.push(m.text(m.unsigned(1))),
  66: (m) => m.push(m.take(m.unsigned(4))), // BINBYTES
  67: (m) => m.push(m.take(m.unsigned(1))),
  142: (m) => m.push(m.take(m.unsigned(8))),
  93: (m) => m.push([]),
  125: (m) => m.push(new Map()),
  41: (m) => m.push([]), // EMPTY_TUPLE
  143: (m) => m.push([]), // EMPTY_SET
  116: (m) => m.push(m.popToMark()), // TUPLE
  145: (m) => m.push(m.popToMark()), // FROZENSET
  133: (m) => tuple(m, 1),
  134: (m) => tuple(m, 2),
  135: (m) => tuple(m, 3),
  97: (m) => append(m, [m.pop()]),
  101: (m) => append(m, m.popToMark()),
  144: (m) => append(m, m.popToMark()), // ADDITEMS
  115: (m) => {
    const value = m.pop();
    setItems(m, [m.pop(), value]);
  },
  117: (m) => setItems(m, m.popToMark()),
  113: (m) => m.remember(m.unsigned(1)), // BINPUT
  114: (m) => m.remember(m.unsigned(4)),
  148: (m) => m.remember(), // MEMOIZE
  104: (m) => m.recall(m.unsigned(1)),
  106: (m) => m.recall(m.unsigned(4)),
  99: (m) => {
    const module = m.line();
    m.push(new PickleName(`${module}.${m.line()}`)); // GLOBAL
  },
  147: (m) => {
    const name = m.pop();
    m.push(new PickleName(`${String(m.pop())}.${String(name)}`)); // STACK_GLOBAL
  },
  82: call, // REDUCE
  129: call, // NEWOBJ
  98: build,
  81: (m) => m.resolve(), // BINPERSID
};
