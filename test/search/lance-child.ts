/**
 * Writes to an index in LanceDB, and says what is committed. Arguments: folder, seed; then `until-killed`, or a number of
 * videos, of which those with an even number have the same paths whatever the seed.
 */
import { VideoIndex } from '#src/search/video-index.js';
import { DIM, ENCODER, entryOf } from './entries.js';

const [db, seed, until] = process.argv.slice(2) as [string, string, string];
const index = await VideoIndex.open(db, { encoder: ENCODER, store: 'lancedb' });
const say = (line: string) => process.stdout.write(`${line}\n`);
const most = until === 'until-killed' ? Number.POSITIVE_INFINITY : Number(until);
for (let i = 0; i < most; i++) {
  const path = i % 2 === 0 ? `/same/${i}` : `/${seed}/${i}`;
  const windows = 1 + ((i * 37) % 200);
  await index.add(entryOf(path, windows, DIM, { label: seed }));
  say(`+ ${path} ${windows}`);
  if (i % 7 === 6) {
    say(`? /${seed}/${i - 1 - (i % 2)} 0`);
    await index.remove(`/${seed}/${i - 1 - (i % 2)}`);
    say(`- /${seed}/${i - 1 - (i % 2)} 0`);
  }
  if (i % 16 === 15) await index.compact();
}
await index.close();
