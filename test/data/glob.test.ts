import test from 'ava';
import { matchesGlob } from '#src/data/glob.js';

test('globs', (t) => {
  const yes = [
    ['walk', 'walk'],
    ['walk', '*'],
    ['', '*'],
    ['', ''],
    ['set1_seq01', 'set1_*'],
    ['c07', 'c0?'],
    ['abcabc', '*abc'],
    ['abxbc', 'a*b?'],
    ['aXbXc', 'a*b*c'],
    ['a.b', 'a.b'],
  ] as const;
  const no = [
    ['walk', 'wal'],
    ['walk', 'walks'],
    ['set11', 'set1_*'],
    ['c10', 'c0?'],
    ['c0', 'c0?'],
    ['', '?'],
    ['axb', 'a.b'],
    ['Walk', 'walk'],
    ['[a]', '[ab]'],
  ] as const;
  for (const [text, glob] of yes) t.true(matchesGlob(text, glob), `${text} ${glob}`);
  for (const [text, glob] of no) t.false(matchesGlob(text, glob), `${text} ${glob}`);
});

test('many stars end soon', (t) => {
  const start = performance.now();
  t.false(matchesGlob('a'.repeat(5000), `${'a*'.repeat(30)}b`));
  t.true(performance.now() - start < 1000);
});
