import test from 'ava';
import { IdTable } from '#src/data/id-table.js';

test('every id is found at its place, others are not, and one that is there is not added again', (t) => {
  const ids = Array.from({ length: 5000 }, (_, i) => `class/${i % 7}/clip-${i}.mp4`);
  ids.push('', 'ü', '\udce9', ids[42]!);
  const table = new IdTable(ids.length, (place) => ids[place]!);
  const added = ids.map((_, place) => table.add(place));
  t.deepEqual(
    added.flatMap((isNew, place) => (isNew ? [] : [place])),
    [ids.length - 1],
  );
  for (const [place, id] of ids.slice(0, -1).entries()) t.is(table.find(id), place);
  for (const id of ['class', 'clip-1.mp4', '\udcea', 'class/0/clip-0.mp4 ']) t.is(table.find(id), -1);
});

test('a table of nothing finds nothing', (t) => {
  t.is(new IdTable(0, () => '').find('a'), -1);
});
