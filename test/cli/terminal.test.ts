// Tables and logs on every kind of terminal: wide characters align, names do no harm, dumb terminals get plain lines.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { formatTable } from '#src/cli/table.js';
import { canRedraw, cut, hasColors, printable, printableLines, widthOf } from '#src/cli/terminal.js';

const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));
const ESCAPE = '\u001b';

test('columns align whatever the characters', (t) => {
  const names = [
    'plain',
    '視頻ファイル.mp4',
    'смотри.mp4',
    'e\u0301te\u0301.mp4',
    '👩‍👩‍👧‍👦 family',
    '한국어',
    '🇩🇪',
    'ｆｕｌｌ',
  ];
  const lines = formatTable(
    [{ title: 'file' }, { title: 'n', align: 'right' }, { title: '視頻' }],
    names.map((name, i) => [name, String(10 ** i), '|']),
  ).split('\n');
  const edges = lines.slice(2).map((line) => widthOf(line));
  t.is(new Set(edges).size, 1, lines.join('\n'));
  t.is(widthOf(lines[0]!) - 3, edges[0]!);
});

test('widths and cuts', (t) => {
  t.is(widthOf('視頻'), 4);
  t.is(widthOf('e\u0301'), 1);
  t.is(cut('視頻視頻', 5), '視頻');
  t.is(cut('ab', 5), 'ab');
  t.is(cut('e\u0301e\u0301e\u0301', 2), 'e\u0301e\u0301');
  t.is(cut('👩‍👩‍👧‍👦x', 1), '');
});

test('nothing in a name moves the cursor, colours, hides or turns text around', (t) => {
  const harmful = [
    `${ESCAPE}[2J${ESCAPE}[31m`,
    '\r',
    '\n',
    '\t',
    '\b',
    '\u007f',
    '\u009b2J',
    '\u202e',
    '\u2066',
    '\u2028',
    '\ufeff',
    '\0',
  ];
  for (const text of harmful) {
    const shown = printable(`a${text}b`);
    t.regex(shown, /^a\\(x|u|n|r|t).*b$/, JSON.stringify(text));
    t.false(/[\p{Cc}\u202a-\u202e\u2066-\u2069\u2028\u2029\ufeff]/u.test(shown));
  }
  t.is(printable('視頻 é 👩‍👩‍👧‍👦 \u05d0'), '視頻 é 👩‍👩‍👧‍👦 \u05d0');
  t.is(printableLines(`a\nb${ESCAPE}`), 'a\nb\\x1b');
  const table = formatTable([{ title: 'file' }, { title: 'x' }], [[`a\n${ESCAPE}[2J`, 'y']]);
  t.is(table.split('\n').length, 3);
  t.false(table.includes(ESCAPE));
});

test('who gets colours, and whose line is drawn again', (t) => {
  const cases: [env: Record<string, string>, isTTY: boolean, colors: boolean, redraw: boolean][] = [
    [{}, true, true, true],
    [{}, false, false, false],
    [{ TERM: 'dumb' }, true, false, false],
    [{ NO_COLOR: '1' }, true, false, true],
    [{ NO_COLOR: '' }, true, true, true],
    [{ FORCE_COLOR: '1' }, false, true, false],
    [{ FORCE_COLOR: '1', TERM: 'dumb', NO_COLOR: '1' }, true, true, false],
    [{ FORCE_COLOR: '0' }, true, false, true],
    [{ CI: 'true' }, true, true, false],
    [{ CI: 'true' }, false, false, false],
  ];
  for (const [env, isTTY, colors, redraw] of cases) {
    t.is(hasColors({ isTTY }, env), colors, `${JSON.stringify(env)} ${isTTY}`);
    t.is(canRedraw({ isTTY }, env), redraw, `${JSON.stringify(env)} ${isTTY}`);
  }
});

/** What a command writes when its streams say that they are terminals. */
function onTerminal(env: Record<string, string>, ...args: string[]) {
  const program = `
    for (const stream of [process.stdout, process.stderr]) stream.isTTY = true;
    process.argv = [process.argv[0], 'vssl-native', ...${JSON.stringify(args)}];
    await import(${JSON.stringify(import.meta.resolve('#src/cli/main.js'))});`;
  return spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH ?? '', ...env },
  });
}

test('a dumb terminal gets no escape from any command; another one does', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vssl-term-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const data = join(folder, 'videos');
  mkdirSync(data);
  writeFileSync(join(data, 'a.mp4'), 'no video');
  const commands = [
    ['check', '--data', data],
    ['train', '--preset', 'cvrl-tiny', '--data', data, '--out', join(folder, 'run')],
    ['train', '--preset', 'cvrl-tni', '--data', data],
    ['doctor'],
  ];
  for (const args of commands) {
    const { stdout, stderr } = onTerminal({ TERM: 'dumb' }, ...args);
    t.true((stdout + stderr).length > 20, args.join(' '));
    t.false((stdout + stderr).includes(ESCAPE), `${args.join(' ')}: ${JSON.stringify(stdout + stderr)}`);
    t.false((stdout + stderr).includes('\r'), args.join(' '));
  }
  t.true(onTerminal({ TERM: 'xterm' }, ...commands[2]!).stderr.includes(ESCAPE));
  t.false(onTerminal({ TERM: 'xterm', NO_COLOR: '1' }, ...commands[2]!).stderr.includes(ESCAPE));
});

test('a file whose name is an attack is shown, not obeyed', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vssl-names-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of [`clear${ESCAPE}[2J.mp4`, 'two\nlines.mp4', 'back\rover.mp4', 'turn\u202e4pm.mp4'])
    writeFileSync(join(folder, name), 'no video');
  const { stdout, stderr } = spawnSync(process.execPath, [main, 'check', '--data', folder], {
    encoding: 'utf8',
  });
  for (const text of [stdout, stderr])
    for (const character of [ESCAPE, '\r', '\u202e']) t.false(text.includes(character), JSON.stringify(text));
  t.true(stdout.includes('clear\\x1b[2J.mp4'), stdout);
  t.true(stdout.includes('two\\nlines.mp4'), stdout);
  const json = spawnSync(process.execPath, [main, 'check', '--data', folder, '--json'], { encoding: 'utf8' });
  const { files } = JSON.parse(json.stdout.trimEnd().split('\n').at(-1)!) as { files: { path: string }[] };
  t.true(
    files.some(({ path }) => path.endsWith(`clear${ESCAPE}[2J.mp4`)),
    'programs get the name as it is',
  );
});
