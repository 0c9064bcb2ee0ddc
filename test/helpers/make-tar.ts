/** Tar files of bytes, as several programs write them. */
import { writeFile } from 'node:fs/promises';
import { encodeName } from '#src/data/file-names.js';

export interface MemberSpec {
  readonly name: string;
  readonly body?: Buffer | string;
  /** '0': a file. */
  readonly type?: string;
  /** What the header says, where it is not true. */
  readonly size?: number;
  /** How a long name is written. Default pax. */
  readonly long?: 'pax' | 'gnu' | 'ustar';
  /** Further records of a pax header. */
  readonly pax?: Readonly<Record<string, string>>;
}

export const END_MARK = Buffer.alloc(1024);

export async function writeTar(path: string, members: readonly MemberSpec[], end = END_MARK): Promise<void> {
  await writeFile(path, makeTar(members, end));
}

export function makeTar(members: readonly MemberSpec[], end = END_MARK): Buffer {
  return Buffer.concat([...members.map(encodeMember), end]);
}

export function encodeMember({
  name,
  body = '',
  type = '0',
  size,
  long = 'pax',
  pax = {},
}: MemberSpec): Buffer {
  const bytes = Buffer.from(body);
  const written = encodeName(name);
  const records = { ...pax };
  const before: Buffer[] = [];
  let base: Buffer = written;
  let prefix: Buffer = Buffer.alloc(0);
  if (written.length > 100 && long === 'ustar') {
    const slash = written.lastIndexOf('/');
    [base, prefix] = [written.subarray(slash + 1), written.subarray(0, slash)];
  } else if (written.length > 100 && long === 'gnu') {
    before.push(encodeHeader({ base: Buffer.from('././@LongLink'), type: 'L', size: written.length + 1 }));
    before.push(padded(Buffer.concat([written, Buffer.alloc(1)])));
  } else if (written.length > 100) records.path = name;
  if (Object.keys(records).length > 0) {
    const text = Buffer.concat(Object.entries(records).map(([key, value]) => paxRecord(key, value)));
    before.push(
      encodeHeader({ base: Buffer.from('PaxHeaders/x'), type: 'x', size: text.length }),
      padded(text),
    );
  }
  const header = encodeHeader({ base: base.subarray(0, 100), prefix, type, size: size ?? bytes.length });
  return Buffer.concat([...before, header, padded(bytes)]);
}

interface HeaderSpec {
  readonly base: Buffer;
  readonly prefix?: Buffer;
  readonly type: string;
  readonly size: number;
}

export function encodeHeader({ base, prefix = Buffer.alloc(0), type, size }: HeaderSpec): Buffer {
  const block = Buffer.alloc(512);
  base.copy(block, 0);
  block.write(`0000644\0${'0000000\0'.repeat(2)}`, 100, 'latin1');
  if (size < 8 ** 11) block.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  else {
    block[124] = 0x80;
    block.writeBigUInt64BE(BigInt(size), 128);
  }
  block.write('00000000000\0', 136, 'latin1');
  block.write(type, 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  prefix.copy(block, 345);
  return withSum(block);
}

/** The header with the sum that it should have. */
export function withSum(block: Buffer): Buffer {
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), encodeName(value), Buffer.from('\n')]);
  let length = rest.length + 1;
  while (`${length}`.length + rest.length !== length) length = `${length}`.length + rest.length;
  return Buffer.concat([Buffer.from(`${length}`), rest]);
}

function padded(body: Buffer): Buffer {
  return Buffer.concat([body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}
