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
  t.deepEqual(fields('""\n"",""\n,,\na,'), [['a', '']], 'what spreadsheets leave below a table');
  t.deepEqual(fields('a'), [['a']]);
  t.deepEqual(fields(''), []);
  t.deepEqual(fields('\uFEFFpath\n\n\na.mp4\n'), [['path'], ['a.mp4']]);
  t.deepEqual(fields('a\rb'), [['a'], ['b']]);
  t.deepEqual(fields('a,b,'), [['a', 'b', '']]);
});

test('blanks at the ends of a field are no part of it, unless they stand in quotes', (t) => {
  t.deepEqual(fields(' a ,\tb, " c " ,"d"\t\r\n'), [['a', 'b', ' c ', 'd']]);
});

test('semicolons and tabs', (t) => {
  const of = (text: string, separator: ';' | '\t') =>
    parseCsv(text, 'm', separator).map((record) => record.fields);
  t.deepEqual(of('a,1;"b;2"; c\n', ';'), [['a,1', 'b;2', 'c']]);
  t.deepEqual(of('a\t\t b c \t"d\te"\n', '\t'), [['a', '', 'b c', 'd\te']]);
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
  const wrong = (text: string, message: RegExp) =>
    t.throws(() => parseCsv(text, 'm.csv'), { code: 'ERR_VSSL_DATA', message }, text);
  wrong('a\n"x\ny"\nz,"b\n\n', /m\.csv, line 4: .*never closed/);
  wrong('a\nb\n"a"b,c', /line 3: .*after a closing quotation mark/);
  wrong('a,b\n"x\ny" z,c', /line 3: .*after a closing quotation mark/);
  wrong('h\nit"s,fine', /line 2: .*quotation mark inside the field it"s/);
});
