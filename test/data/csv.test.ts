import test from 'ava';
import { parseCsv } from '#src/data/readers/csv.js';

const fields = (text: string) => parseCsv(text).map((record) => record.fields);

test('RFC 4180: quotes, commas, doubled quotes and line breaks in fields', (t) => {
  t.deepEqual(fields('a,b\nc,d\n'), [
    ['a', 'b'],
    ['c', 'd'],
  ]);
  t.deepEqual(fields('"a,1","say ""hi""","two\nlines"\r\nx,,\r\n'), [
    ['a,1', 'say "hi"', 'two\nlines'],
    ['x', '', ''],
  ]);
  t.deepEqual(fields('""\n"",""'), [['', '']]);
  t.deepEqual(fields('a'), [['a']]);
  t.deepEqual(fields(''), []);
  t.deepEqual(fields('\uFEFFpath\n\n\na.mp4\n'), [['path'], ['a.mp4']]);
  t.deepEqual(fields('a\rb'), [['a'], ['b']]);
  t.deepEqual(fields('a,b,'), [['a', 'b', '']]);
  t.deepEqual(fields('it"s,fine'), [['it"s', 'fine']]);
});

test('line numbers count the lines within quotes', (t) => {
  t.deepEqual(
    parseCsv('h\n"a\nb\nc"\nd\n').map((record) => record.line),
    [1, 2, 5],
  );
});

test('broken quotation is an error with its line', (t) => {
  t.regex(
    t.throws(() => parseCsv('a\n"b', 'm.csv'), { code: 'ERR_VSSL_DATA' })!.message,
    /m\.csv, line 2: .*never closed/,
  );
  t.throws(() => parseCsv('"a"b,c'), { code: 'ERR_VSSL_DATA' });
});
