/**
 * Writes to an index until it is killed, and says what is committed: "+ path" and "- path"; "? path" before a removal.
 * Arguments: folder, seed.
 */
import { VideoIndex } from '#src/search/video-index.js';
import { DIM, ENCODER, entryOf } from './entries.js';

const [db, seed] = process.argv.slice(2) as [string, string];
const index = await VideoIndex.open(db, { encoder: ENCODER });
const say = (line: string) => process.stdout.write(`${line}\n`);
let last = '';
for (let i = 0; ; i++) {
  const path = `/${seed}/${i}`;
  // some rows have a vector, some hundreds: a kill falls between bytes of either file
  await index.add(entryOf(path, 1 + ((i * 37) % 200), DIM));
  say(`+ ${path}`);
  if (i % 7 === 3) {
    say(`? ${last}`);
    await index.remove(last);
    say(`- ${last}`);
  } else last = path;
  if (i % 11 === 10) await index.compact();
}
