/** PNG files of 8-bit RGBA, written by the format's definition. */
import { crc32, deflateSync } from 'node:zlib';

/** `color(x, y)` gives red, green, blue, alpha, 0 to 255; `alpha` false leaves the last one out. */
export function encodePng(
  width: number,
  height: number,
  color: (x: number, y: number) => readonly number[],
  alpha = true,
): Buffer {
  const channels = alpha ? 4 : 3;
  const rows = Buffer.alloc(height * (1 + width * channels));
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      rows.set(color(x, y).slice(0, channels), y * (1 + width * channels) + 1 + x * channels);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, alpha ? 6 : 2, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  out.set(body, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}
